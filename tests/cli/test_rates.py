"""``optcodec rates``: its file and text, senders as text, what fails, interrupted runs, and errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from optcodec.console.rate_report import failure_lines, tables
from optcodec.rates import MEASURES, Curve, Experiment, Failed, Rate, Row
from optcodec.rates.summary import bd_rates, points
from tests.cli_helpers import messages, photograph, refusal, run, run_json, save
from tests.rates_helpers import folder_of

PLAIN = "mine=tests.rates_helpers:plain"


def arguments(folder: Path, *more: object, output: str = "out.json", fixed: str = "20,50,80") -> list[str]:
    rates = ("--fixed", fixed) if fixed else ()
    return ["rates", *map(str, (folder, "-o", folder.parent / output, "--measure", "psnr", *rates, *more))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path)


def test_the_result_is_one_file(folder: Path) -> None:
    printed = run_json(*arguments(folder, "--sender", "jpeg=pillow", "--sender", PLAIN))
    document = json.loads((folder.parent / "out.json").read_text())
    assert printed == {"output": str(folder.parent / "out.json")} | document
    assert document["format"] == "optcodec rates 1"
    assert (document["senders"], document["anchor"]) == (["jpeg", "mine"], "jpeg")
    assert document["encoders"] == {"jpeg": "pillow", "mine": "tests.rates_helpers:plain"}
    assert {"optcodec", "python", "numpy", "pillow"} <= document["versions"].keys()
    assert len(document["rows"]) == 18
    assert [(p["sender"], p["rate"]["value"], p["images"]) for p in document["points"]] == [
        (sender, quality, 3) for quality in (20.0, 50.0, 80.0) for sender in ("jpeg", "mine")
    ]
    (compared,) = document["bd_rates"]
    assert (compared["sender"], compared["measure"], compared["images"]) == ("mine", "psnr", 3)
    assert compared["value"] > 5, "the Huffman tables of Annex K cost bytes"
    first = document["rows"][0]
    pixels = np.asarray(Image.open(folder / first["image"]))
    Image.fromarray(pixels).save(folder.parent / "by_hand.jpg", quality=20, optimize=True, subsampling="4:2:0")
    assert first["nbytes"] == (folder.parent / "by_hand.jpg").stat().st_size
    assert {path.name for path in folder.parent.iterdir()} == {"photos", "out.json", "by_hand.jpg"}


def test_one_picture_has_no_intervals(folder: Path) -> None:
    for name in ("1.png", "2.png"):
        (folder / name).unlink()
    result = run(*arguments(folder, "--sender", "jpeg=pillow", "--sender", PLAIN))
    lines = result.stdout.splitlines()
    assert lines[0].endswith("out.json: 1 image; means")
    assert "[" not in result.stdout
    document = json.loads((folder.parent / "out.json").read_text())
    (compared,) = document["bd_rates"]
    figures = [compared, *(figure for point in document["points"] for figure in point["measures"].values())]
    assert {(figure["value"] is None, figure["low"], figure["high"]) for figure in figures} == {(False, None, None)}
    assert lines[-1].split()[-1] == f"{compared['value']:+.1f}"
    assert run("plot", folder.parent / "out.json").exit_code == 0


def test_text(folder: Path) -> None:
    result = run(*arguments(folder, "--sender", "jpeg=pillow", "--sender", PLAIN, "--anchor", "mine"))
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == f"{folder.parent / 'out.json'}: 3 images; means, 95 % intervals in brackets"
    assert lines[2].split() == ["sender", "rate", "images", "bpp", "PSNR", "dB"]
    assert lines[4].split()[:4] == ["jpeg", "quality", "20", "3"]
    assert lines[11].startswith("bytes at equal quality, in % of those of mine (BD-rate)")
    assert lines[-1].split()[:4] == ["jpeg", "mine", "->", "jpeg"]


@pytest.mark.parametrize(
    ("options", "kind", "values"),
    [
        (("--bpp", "1,2.5"), "bpp", [1, 2.5]),
        (("--bytes-of", "jpeg@30,60"), "bytes", [30, 60]),
        (("--bytes-of", "optcodec:effort=1@30"), "bytes", [30]),
        (("--match-psnr", "28"), "psnr", [28]),
        (("--match-ssim", "0.8,0.9"), "ssim", [0.8, 0.9]),
    ],
)
def test_kinds_of_rates(folder: Path, options: tuple[str, ...], kind: str, values: list[float]) -> None:
    document = run_json(*arguments(folder, *options, "--sender", "jpeg=pillow", "-n", 1, fixed=""))
    assert document["rates"] == [{"kind": kind, "value": value} for value in values]
    assert [row["rate"]["value"] for row in document["rows"]] == values
    for row in document["rows"]:
        if kind == "psnr":
            assert row["measures"]["psnr"] >= row["rate"]["value"]
        if kind == "bpp":
            assert 0.9 * row["rate"]["value"] < row["bpp"] <= row["rate"]["value"]


def test_folders_and_files_are_sets(folder: Path) -> None:
    other = folder_of(folder.parent, 2, name="more")
    files = [str(other / f"{number}.png") for number in (0, 1, 0)]
    document = run_json(*arguments(folder, *files, "--sender", "jpeg=pillow", "-n", 1, fixed="50"))
    assert [(row["set"], row["image"]) for row in document["rows"]] == [("photos", "0.png"), ("more", "0.png")]
    assert [(point["set"], point["images"]) for point in document["points"]] == [("photos", 1), ("more", 1), ("all", 2)]


def test_a_network_says_what_it_sees(folder: Path) -> None:
    (folder.parent / "labels.csv").write_text("file,class_index\n0.png,2\n2.png,0\nother.png,1\n")
    network = ("--classify", "tests.accuracy_helpers:classifier", "--sender", "jpeg=pillow")
    document = run_json(*arguments(folder, *network, "--labels", folder.parent / "labels.csv"))
    assert {row["image"] for row in document["rows"]} == {"0.png", "2.png"}
    assert set(document["measures"]) == {"top1_percent", "loss", "psnr"}
    from optcodec.accuracy.network import logits_of
    from optcodec.vision.running import as_used
    from tests.accuracy_helpers import classifier

    row = document["rows"][0]
    pixels = np.asarray(Image.open(folder / "0.png"))
    from optcodec.peers.encoders import encode_turbo
    from optcodec.rates import decoded

    picture = decoded(encode_turbo(pixels, "4:2:0", 20))[4:68, 12:76]  # the 64x64 pixels in the middle
    (logits,) = logits_of(as_used(classifier().module), [np.ascontiguousarray(picture)]).numpy().astype(np.float64)
    assert row["measures"]["loss"] == pytest.approx(np.log(np.exp(logits).sum()) - logits[2], rel=1e-4)
    assert row["measures"]["top1_percent"] == (100 if logits.argmax() == 2 else 0)
    by_itself = run_json(*arguments(folder, *network, fixed="100"))
    assert [row["measures"]["top1_percent"] for row in by_itself["rows"]] == [100.0] * 3


def test_an_interrupted_run_continues(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = arguments(folder, "--sender", "jpeg=pillow", "--workers", 1)
    whole = run_json(*arguments(folder, "--sender", "jpeg=pillow", output="whole.json"))
    called: list[str] = []
    original = Experiment.__call__

    def stopping(self: Experiment, picture: Any, gray: bool) -> Any:
        called.append(picture.name)
        if len(called) == 2:
            raise KeyboardInterrupt
        return original(self, picture, gray)

    with monkeypatch.context() as patch:
        patch.setattr(Experiment, "__call__", stopping)
        assert run(*command).exit_code == 1
    partial = folder.parent / "out.json.partial"
    assert partial.is_dir()
    assert not (folder.parent / "out.json").exists()
    line = refusal(*command, "--sender", PLAIN)
    assert "holds part of another run, with other options" in line
    called.clear()
    with monkeypatch.context() as patch:
        patch.setattr(Experiment, "__call__", lambda self, *rest: called.append(rest[0].name) or original(self, *rest))
        document = run_json(*command)
    assert called == ["1.png", "2.png"]
    assert document["rows"] == whole["rows"]
    assert not partial.exists()


# ---- What fails -----------------------------------------------------------------------------------------------------


def test_what_fails_is_listed_and_the_run_goes_on(folder: Path) -> None:
    dark = np.array(Image.open(folder / "1.png"))
    dark[0, 0] = 0
    save(folder / "1.png", dark)
    save(folder / "8.png", photograph(72, 88)[..., 0])
    (folder / "9.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    senders = ("--sender", "jpeg=pillow", "--sender", "some=tests.rates_helpers:failing_for_dark")
    result = run(*arguments(folder, *senders, "--bpp", "0.01,1.5,2", fixed=""), "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert len(document["rows"]) == 2 * 3 * 2 - 2
    assert messages(result)[0] == "Error: not everything could be measured:"
    lines = messages(result)[1:]
    assert len(lines) == 5
    assert lines[0].startswith("  photos/0.png and 2 other images jpeg at 0.01 bpp: expected a file size in bytes")
    assert lines[1].startswith("  photos/0.png and 1 other image some at 0.01 bpp: expected a file size in bytes")
    assert lines[2].startswith("  photos/1.png some at 0.01 bpp, 1.5 bpp, 2 bpp: tests.rates_helpers:failing_for_dark ")
    assert lines[2].endswith("too dark")
    assert lines[3].startswith("  photos/8.png: it is gray, the first picture of photos is in colour")
    assert lines[4].startswith("  photos/9.png: ")
    failed = [record for record in document["failures"] if record["image"] == "1.png" and record["sender"] == "some"]
    assert [record["rate"]["value"] for record in failed] == [0.01, 1.5, 2]
    assert json.loads((folder.parent / "out.json").read_text())["failures"] == document["failures"]


def test_nothing_could_be_measured(folder: Path) -> None:
    result = run(*arguments(folder, "--sender", "x=tests.rates_helpers:no_jpeg", fixed="20"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert messages(result) == [
        "Error: nothing could be measured:",
        "  photos/0.png and 2 other images x at quality 20: tests.rates_helpers:no_jpeg gives bytes that start with "
        "4749; expected the bytes of a JPEG file, which start with ffd8",
    ]
    assert {path.name for path in folder.parent.iterdir()} == {"photos"}


def test_pictures_that_cannot_be_compared_are_counted(folder: Path) -> None:
    """A picture of which a sender has two points only is left out of its BD-rate, and the text says so."""
    senders = ("--sender", "jpeg=pillow", "--sender", "some=tests.rates_helpers:failing_for_dark")
    dark = np.array(Image.open(folder / "1.png"))
    dark[0, 0] = 0
    save(folder / "1.png", dark)
    result = run(*arguments(folder, *senders, fixed="20,35,50,80"))
    assert result.exit_code == 1
    assert "(2 of 3)" not in result.stdout, "without any point there is no curve"
    rows = json.loads((folder.parent / "out.json").read_text())
    short = [
        row for row in rows["rows"] if (row["image"], row["sender"]) != ("2.png", "some") or row["rate"]["value"] > 40
    ]
    assert "(1 of 2)" in tables_of(short, rows)


def tables_of(rows: list[dict[str, Any]], document: dict[str, Any]) -> str:
    """The text of a result with other rows."""
    kept = [Row.from_json(row) for row in rows]
    anchor = Curve("jpeg", "jpeg", 0.0)
    deltas = bd_rates(kept, lambda curve: [anchor], {"psnr": MEASURES["psnr"]})
    return tables(document | {"rows": rows, "points": points(kept), "bd_rates": deltas})


def test_failures_of_one_kind_are_one_line() -> None:
    rate = Rate("bpp", 1)
    failures = [
        *(Failed(f"needs {n} bytes", "s", f"{n}.png", "jpeg", None, rate) for n in range(3)),
        Failed("needs 1 bytes", "s", "0.png", "jpeg", None, Rate("bpp", 2)),
        Failed("needs 1 bytes", "s", "0.png", "jpeg", "net", rate),
        Failed("no file", receiver="net, sigma 5"),
    ]
    assert failure_lines(failures) == [
        "s/0.png and 2 other images jpeg at 1 bpp, 2 bpp: needs 0 bytes",
        "s/0.png net at 1 bpp: needs 1 bytes",
        "net, sigma 5: no file",
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--sender", "gif"), "no sender 'gif'; expected pillow, mozjpeg, mozjpeg-flat, jpegli, optcodec or package."),
        (("--sender", "no.module:f"), "expected a sender as package.module:function, got 'no.module:f'"),
        (("--sender", "os.path:sep"), "expected a function as a sender, os.path:sep is a str"),
        (("--sender", "pillow", "--sender", "pillow"), "expected senders that are all different"),
        (("--anchor", "gif"), "--anchor 'gif' is not among the senders; expected one of jpeg, optcodec:tune=psnr"),
        (("--bpp", "1"), "--bpp and --fixed exclude one another"),
        (
            ("--measure", "vmaf"),
            "measure is one of psnr, psnr_y, psnr_b, ssim, ssim_y, ms_ssim, fsim, ssimulacra2, butteraugli, "
            "butteraugli_3; got 'vmaf'",
        ),
        (("--labels", "a.csv"), "--labels is for a classifier; expected it with --classify"),
        (("--classify-weights", "a.pth"), "--classify-weights is for a classifier"),
    ],
)
def test_bad_options_are_one_line(folder: Path, options: tuple[str, ...], expected: str) -> None:
    assert expected in refusal(*arguments(folder, *options))


@pytest.mark.parametrize("text", ["jpeg", "jpeg@", "jpeg@1.5", "@x"])
def test_bytes_of_what(folder: Path, text: str) -> None:
    line = refusal(*arguments(folder, "--bytes-of", text, fixed=""))
    assert f"--bytes-of is SENDER@Q,..., such as jpeg@10,30; got {text!r}" in line


def test_wrong_command_lines(folder: Path) -> None:
    for options in (("--fixed", "a"), ("-o", folder / "x.txt"), ("--subsampling", "4:1:1")):
        result = run(*arguments(folder, *options))
        assert result.exit_code == 2, options


def test_labels_of_other_files(folder: Path) -> None:
    (folder.parent / "labels.csv").write_text("file,class_index\nother.png,1\n")
    network = ("--classify", "tests.accuracy_helpers:classifier", "--labels", folder.parent / "labels.csv")
    assert "has labels of other files; expected names such as 0.png" in refusal(*arguments(folder, *network))
