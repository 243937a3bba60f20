"""Sections of ``demo.json``, which ``optcodec demo`` writes beside the files of the photographs."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from optcodec.console.show import count
from optcodec.jpeg.table_files import load_tables
from optcodec.report.curves import Interval, method_name
from optcodec.report.page.files import motifs
from optcodec.report.page.pictures import Named
from optcodec.report.page.sections import Change, Heatmap, Part, Savings, Section, Table
from optcodec.report.page.sizes import table_heatmaps
from optcodec.report.page.words import interval_over, listed, made_with, number_of, roles, saving_sentences, were

__all__ = ["PHOTOGRAPHS", "demo_part", "photograph_paths"]

# All but rocket are stored without loss; rocket is a JPEG file.
PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
_OURS = ("OptS", "RD-OPT", "weights", "network")


def photograph_paths() -> list[Path]:
    """The photographs of the demo inside the installed scikit-image; empty without it."""
    package = find_spec("skimage")
    folders = [] if package is None else [Path(place) / "data" for place in package.submodule_search_locations or ()]
    return [folder / name for folder in folders for name in PHOTOGRAPHS if (folder / name).is_file()]


def demo_part(record: Mapping[str, Any], path: str, subject: str | None) -> Part:
    """The part of a page about a run of the demo.

    Raises
    ------
    InvalidInputError, KeyError, TypeError, ValueError
        If the record is no such result.
    """
    photographs = {str(each["photograph"]): _by_method(each) for each in record["photographs"]}
    if not photographs:
        raise ValueError("it has no photographs")
    methods = list(dict.fromkeys(method for by_method in photographs.values() for method in by_method))
    anchor = Change(method_name(methods[0]), Interval(0, 0, 0))
    changes = roles([anchor, *(_change(method, photographs) for method in methods[1:])], _OURS, subject)
    note = (
        f"Mean over {count(len(photographs), 'photograph')}. The intervals (95 %) say how far other photographs of "
        "the same kind may be from these; of so few photographs they say little."
    )
    network = record.get("network")
    equal = "an equal weighted error" if network is None else f"an equal divergence of {network}"
    title = f"Bytes saved at {equal}, in % of those of JPEG"
    sections: list[Section] = [Savings(title, changes, note)]
    originals = {each.stem: each for each in photograph_paths()}
    coded = {
        name: [(method, Path(path).parent / f"{name}-{method}.jpg") for method in by_method]
        for name, by_method in photographs.items()
    }
    sections += motifs(
        [
            (name, [Named("original", originals[name]), *(Named(method_name(method), file) for method, file in files)])
            for name, files in coded.items()
            if name in originals and all(file.is_file() for _, file in files)
        ]
    )
    sections += [_heatmap(photographs, methods), _figures(photographs, network)]
    sections += _tables(next(iter(photographs)), methods, path)
    of = "the sensitivity weighted error" if network is None else "at most the divergence"
    how = "with tables of" if network is None else "as"
    compared = (
        f"{were(len(photographs), 'photograph')} coded {how} {listed([*map(method_name, methods)])}, all with "
        f"{of} that JPEG has at quality {record['quality']} for {network or record['profile']}, at "
        f"chroma subsampling {record['subsampling']}."
    )
    headline = saving_sentences(changes, f"at {equal}", anchor.name)
    return Part("What the demo shows", compared, headline, sections, str(record.get("command", "")), made_with(record))


def _by_method(record: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(each["method"]): each for each in record["methods"]}


def _change(method: str, photographs: Mapping[str, Mapping[str, Any]]) -> Change:
    values = [number_of(by_method[method]["change_percent"]) for by_method in photographs.values()]
    return Change(method_name(method), interval_over(values))


def _heatmap(photographs: Mapping[str, Mapping[str, Any]], methods: list[str]) -> Heatmap:
    values = [[number_of(by_method[m]["change_percent"]) for m in methods] for by_method in photographs.values()]
    columns = [method_name(method) for method in methods]
    note = "Change in bytes in % of those of JPEG; blue cells save bytes, red ones need more."
    return Heatmap("Change in bytes by photograph", [*photographs], columns, values, "+.1f", signed=True, note=note)


def _tables(name: str, methods: list[str], path: str) -> list[Section]:
    """The luminance tables of one photograph, on one scale."""
    files = {f"{method_name(each)} table of {name}": Path(path).parent / f"{name}-{each}.json" for each in methods}
    return table_heatmaps([(title, load_tables(file)[0]) for title, file in files.items() if file.is_file()])


def _figures(photographs: Mapping[str, Mapping[str, Any]], network: str | None) -> Table:
    error, short, note = "swe", "SWE", "SWE: sensitivity weighted error, equal for each photograph."
    if network is not None:
        error, short = "divergence", "divergence"
        note = f"Divergence of the output of {network} from that on the original, in nats."
    rows = [
        (
            name,
            method_name(method),
            f"{each['nbytes']:,}",
            f"{number_of(each['bpp']):.3f}",
            f"{number_of(each['psnr_db']):.2f}",
            f"{number_of(each[error]):.4g}",
        )
        for name, by_method in photographs.items()
        for method, each in by_method.items()
    ]
    columns = ("photograph", "method", "bytes", "bits per pixel", "PSNR dB", short)
    return Table("All figures", columns, rows, note, text=2)
