"""Format the Markdown tables of the speed benchmarks from their results."""

from __future__ import annotations

from statistics import median
from textwrap import wrap
from typing import Any

from benchmarks.markdown import lines
from benchmarks.record import load_result
from benchmarks.speed.paper import billion_table, coding_table, whole_set_table

__all__ = ["speed"]

_TUNINGS = {
    "trellis": '`tune="ycbcr"`, baseline',
    "psnr": '`tune="psnr"`, baseline',
    "people": '`tune="people"`, progressive',
}
_OTHERS = {"mozjpeg": "mozjpeg (pyvips), flat tables, baseline", "libjpeg-turbo": "Pillow, `optimize=True`"}
_ENCODERS = {
    "plain": "`optcodec`, quality 75",
    "many": "the same by `encode_many`",
    "command": "the same by `optcodec encode FOLDER`",
    "designed": "`optcodec`, designed tables",
    "simplejpeg": "simplejpeg",
    "simplejpeg_threads": "simplejpeg in threads",
    "pillow": "Pillow, `optimize=True`",
    "pyvips": "pyvips, `optimize_coding`",
    "torchvision": "torchvision's `encode_jpeg`",
    "sharp": "sharp, `optimiseCoding`",
}


def speed() -> dict[str, str]:
    """All tables by the name in their marks."""
    figures = {"effort 3": effort_3(), "data set": data_set(), "transform": transform(), "whole set": whole_set_table()}
    figures |= {"loop speed": loop_speed(), "overshoot speed": overshoot_speed()}
    return figures | {"a billion": billion_table(), "encoding a billion": coding_table()}


def loop_speed() -> str:
    """Seconds a megapixel with people in the loop, and how many times as long as without, by what is asked for."""
    document = load_result("loop_speed")
    megapixels, rows = document["pixels"] / 1e6, [["one thread, seconds a megapixel", *document["cases"]]]
    rows.append(["---", *["---:"] * len(document["cases"])])
    for way in next(iter(document["cases"].values()))["seconds"]:
        cells = []
        for case in document["cases"].values():
            longer = "" if way == "effort 3" else f" ({case['times_faster'][f'effort 3 / {way}']:.0f}x)"
            cells.append(f"{case['seconds'][way] / megapixels:.2f}{longer}")
        rows.append([way, *cells])
    return lines(rows)


def overshoot_speed() -> str:
    """How many times as long encoding takes with overshoot: the median of the pictures, the least and the most."""
    document = load_result("overshoot_speed")
    rows: list[list[str]] = []
    for name, pictures in document["times_as_long"].items():
        ways = list(next(iter(pictures.values())))
        rows = rows or [["times as long, one thread", *ways, "n"], ["---", *["---:"] * (len(ways) + 1)]]
        ratios = [sorted(picture[way] for picture in pictures.values()) for way in ways]
        rows.append([name, *(f"{median(each):.2f} ({each[0]:.2f} to {each[-1]:.2f})" for each in ratios)])
        rows[-1].append(str(len(pictures)))
    return lines(rows)


def effort_3() -> str:
    """Milliseconds, gain by a second thread and memory of encoding with a trellis, beside libjpeg-turbo and mozjpeg."""
    document = load_result("rdo_speed")
    cases, memory = document["cases"], document["memory"]
    crops = document["images"]["224x224"]
    rows = [["quality 75, 4:2:0", "12 MP, ms", "224x224, ms", "two threads", "memory, bytes a pixel"]]
    rows.append(["---", *4 * ["---:"]])
    names = {
        **_TUNINGS,
        "mozjpeg": "mozjpeg (pyvips), flat tables, baseline",
        "libjpeg-turbo": "Pillow, `optimize=True`",
    }
    for name, title in names.items():
        large, small = (cases[case]["seconds"][name] for case in ("12 MP", "224x224"))
        cells = [f"{1000 * large:,.0f}", f"{1000 * small / crops:.1f}"]
        if name in _TUNINGS:
            cells += [f"{cases['threads']['times_faster'][f'{name}, two / {name}, one']:.2f}x"]
            cells += [f"{max(memory[name].values()):.0f}"]
        rows.append([title, *cells, *["-"] * (4 - len(cells))])
    return lines(rows)


def data_set(cases: dict[str, Any] | None = None) -> str:
    """Pictures a second at equal quality, from memory and, if that was measured, from files."""
    cases = cases or load_result("dataset")["cases"]
    from_memory = _rates(cases, "equal quality")
    if "from files" not in cases["12 MP"]:
        return from_memory
    between = (
        "From a folder of PNG files to a folder of JPEG files, and how many times as many pictures a second two "
        "workers code: two threads of a process for the folder command, `encode_many` and simplejpeg in threads, "
        "otherwise two processes. Each encoder opens the files by itself, simplejpeg and ours by Pillow."
    )
    return "\n\n".join([from_memory, "\n".join(wrap(between, 120)), _rates(cases, "from files", scaling=True)])


def _rates(cases: dict[str, Any], goal: str, *, scaling: bool = False) -> str:
    """Pictures a second of processor time by one worker, and its peak memory; or the gain by a second worker."""
    sizes = ("224x224", "2 MP", "12 MP")
    more = (
        [f"two workers, {size}" for size in sizes]
        if scaling
        else ["memory of a worker at 12 MP, MB", "of it libraries"]
    )
    rows = [[f"pictures a CPU second, {'from files' if scaling else 'equal quality'}", *sizes, *more]]
    rows.append(["---", *(len(sizes) + len(more)) * ["---:"]])
    measured = cases["12 MP"][goal]  # without the packages that were not there
    for encoder, title in ((encoder, title) for encoder, title in _ENCODERS.items() if encoder in measured):
        one, two = ([cases[size][goal][encoder][f"{count} workers"] for size in sizes] for count in (1, 2))
        rates = [each["pictures_a_cpu_second"] for each in one]
        cells = [f"{rate:,.{1 if rate < 100 else 0}f}" for rate in rates]
        if scaling:
            rate = "pictures_a_second"
            cells += [f"{after[rate] / before[rate]:.2f}x" for before, after in zip(one, two, strict=True)]
        else:
            cells += [f"{one[-1][name] / 1e6:.0f}" for name in ("peak_nbytes_a_worker", "file_nbytes")]
        rows.append([title, *cells])
    return lines(rows)


def transform() -> str:
    """Milliseconds for a picture by the transforms that encode and decode, and how many times as fast ours is."""
    document = load_result("transform")
    cases = document["cases"]
    rows = [["224x224, quality 75, one thread", *cases], ["---", *("---:" for _ in cases)]]
    for name, title in {"ours": "`OptJpeg`", "torchvision": "`v2.JPEG` of torchvision"}.items():
        seconds = [case["seconds"][name] / document["images"] for case in cases.values()]
        rows.append([f"{title}, ms a picture", *(f"{1000 * each:.2f}" for each in seconds)])
    ratios = [case["times_faster"]["ours / torchvision"] for case in cases.values()]
    rows.append(["times as fast", *(f"{ratio:.2f}" for ratio in ratios)])
    return lines(rows)
