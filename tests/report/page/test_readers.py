"""What pages say of each kind of result: headlines, charts, tables, pictures and maps."""

from __future__ import annotations

import base64
import io
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from PIL import Image

from optcodec.errors import OptcodecError
from optcodec.metrics import psnr_db
from optcodec.receivers.block_bits import file_block_bits
from optcodec.report.curves import Interval
from optcodec.report.page.pictures import Named, picture_sections
from optcodec.report.page.reading import page_of
from optcodec.report.page.sections import BlockMaps, Change, Charts, Heatmap, Layer, Part, Savings, Table, Wiper
from optcodec.report.page.words import change_sentence, roles
from tests.cli_helpers import photograph, save
from tests.fuzz.json_damage import changed_json
from tests.report.page import samples

T = TypeVar("T")


def part_of(path: Path, **options: Any) -> Part:
    (part,) = page_of([path], **options).parts
    return part


def of_kind(part: Part, kind: type[T]) -> list[T]:
    return [section for section in part.sections if isinstance(section, kind)]


def decoded(layer: Layer) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(layer.uri.partition(",")[2]))))


def plain(text: str) -> str:
    """Text with ordinary spaces."""
    return text.replace("\u00a0", " ")


def test_the_headline_of_rates_is_the_saving_at_equal_psnr(tmp_path: Path) -> None:
    record = samples.rates()
    part = part_of(samples.written(tmp_path / "r.json", record))
    by_name = {
        bd["sender"]: bd for bd in record["bd_rates"] if bd["measure"] == "psnr" and bd["against"]["sender"] == "jpeg"
    }
    ours, rival = by_name["optcodec:tune=psnr"], by_name["mozjpeg"]
    figures = f"{-ours['value']:.1f} % ({-ours['high']:.1f} to {-ours['low']:.1f} %)"
    assert plain(part.headline[0]) == f"At equal PSNR, optcodec:tune=psnr saves {figures} of the bytes of jpeg."
    assert plain(part.headline[1]).startswith(f"The strongest rival is mozjpeg: it saves {-rival['value']:.1f} % (")
    assert plain(part.headline[2]).startswith("Directly, optcodec:tune=psnr saves 1")
    (savings,) = of_kind(part, Savings)
    assert [change.name for change in savings.changes] == ["optcodec:tune=psnr", "mozjpeg", "jpeg"]
    assert [change.role for change in savings.changes] == ["subject", "rival", ""]
    assert (part.command, part.made_with["optcodec"]) == ("optcodec rates a -o rates.json", "1.2.3")


def test_a_saving_is_the_one_that_the_qualities_imply(tmp_path: Path) -> None:
    """Each sender is 1 dB better at 4 dB for each doubling of the rate: it needs 2^(-1/4) of the bytes."""
    (savings,) = of_kind(part_of(samples.written(tmp_path / "r.json", samples.rates())), Savings)
    changes = {change.name: change.percent.value for change in savings.changes}
    assert changes["mozjpeg"] == pytest.approx(100 * (2 ** (-1 / 4) - 1), abs=1.5)
    assert changes["optcodec:tune=psnr"] == pytest.approx(100 * (2 ** (-2 / 4) - 1), abs=1.5)


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("optcodec:method=jpeg", "middle"),
        ("hint:optcodec:tune=psnr", "middle"),
        ("hint@other:optcodec", "middle"),
        ("mozjpeg", "last"),
        ("hint:pillow", "last"),
        ("optcodec_of_others:encode", "last"),
    ],
)
def test_the_subject_is_the_best_sender_that_is_optcodec_behind_its_label(
    text: str, subject: str, tmp_path: Path
) -> None:
    record = samples.rates(("jpeg", "middle", "last"))
    record["encoders"] = {"jpeg": "pillow", "middle": text, "last": "jpegli"}
    (savings,) = of_kind(part_of(samples.written(tmp_path / "r.json", record)), Savings)
    assert [change.name for change in savings.changes if change.role == "subject"] == [subject]


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("dncnn:dncnn3.safetensors", "middle"),
        ("package.module:function", "middle"),
        ("smooth", "middle"),
        ("default:dnn", "default"),
        ("default", "default"),
        ("mine/model.json", "default"),
        ("one.safetensors+two.safetensors", "default"),
    ],
)
def test_the_subject_is_the_best_network_of_ours_behind_its_label(text: str, subject: str, tmp_path: Path) -> None:
    """The receiver ``default`` is the best of all."""
    record = samples.evaluate() | {"receivers": {"jpeg": "jpeg", "middle": "fast", "default": text}}
    for row in record["rows"]:
        row["receiver"] = row["receiver"].replace("smooth", "middle")
    (savings,) = of_kind(part_of(samples.written(tmp_path / "r.json", record)), Savings)
    assert [change.name for change in savings.changes if change.role == "subject"] == [subject]


def test_one_receiver_alone_is_compared_with_nothing(tmp_path: Path) -> None:
    record = samples.evaluate()
    record["rows"] = [row for row in record["rows"] if row["receiver"] == "default"]
    part = part_of(samples.written(tmp_path / "r.json", record))
    assert part.headline == ["Only default was measured: there is nothing to compare it with."]
    (charts,) = of_kind(part, Charts)
    assert {line.name for chart in charts.panels[0].charts for line in chart.lines} == {"default"}


def _exact(row: dict[str, Any]) -> None:
    row["psnr"] = None


def _one_rate(row: dict[str, Any]) -> None:
    row["quality"] = 10


def _far_apart(row: dict[str, Any]) -> None:
    for measure in ("psnr", "lpips"):
        row[measure] += 100 * ("jpeg", "smooth", "default").index(row["receiver"])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_exact, "its pictures equal the original at all rates"),
        (_one_rate, "1 different qualities on a curve; expected at least 3"),
        (_far_apart, "the qualities overlap by 0 %; expected 25 % or more"),
    ],
)
def test_a_page_says_why_bytes_cannot_be_compared(
    change: Callable[[dict[str, Any]], None], reason: str, tmp_path: Path
) -> None:
    record = samples.evaluate() | {"measures": ["psnr"]}
    for row in record["rows"]:
        change(row)
    part = part_of(samples.written(tmp_path / "r.json", record))
    assert part.headline == [f"smooth and jpeg cannot be compared at equal PSNR: {reason}."]
    assert [each.title for each in of_kind(part, Heatmap) if each.title.startswith("Change in bytes")] == []


def test_the_headline_is_about_a_noise_at_which_bytes_were_compared(tmp_path: Path) -> None:
    record = samples.evaluate()
    noisy = [row | {"sigma": 5.0} for row in record["rows"]]
    for row in record["rows"]:
        _far_apart(row)
    record["rows"] += noisy
    part = part_of(samples.written(tmp_path / "r.json", record))
    assert part.headline[0].startswith("At equal PSNR with noise 5, default saves ")
    assert "Gaussian noise with a standard deviation of 0 and 5 was added" in part.compared
    (savings,) = of_kind(part, Savings)
    assert savings.title.startswith("Bytes saved at equal PSNR with noise 5, in %")
    assert {row.partition(" against ")[0] for row in of_kind(part, Heatmap)[0].rows} == {
        f"{name}, noise {sigma}" for name in ("smooth", "default") for sigma in (0, 5)
    }
    assert of_kind(part, Heatmap)[1].title == "PSNR dB gained at equal bytes with noise 5"
    (charts,) = of_kind(part, Charts)
    assert [panel.label for panel in charts.panels] == ["Set5, noise 5", "Set5, noise 0"]


def test_a_single_noise_is_named(tmp_path: Path) -> None:
    record = samples.rates()
    for each in (*record["points"], *record["bd_rates"], *record["rows"]):
        each["sigma"] = 10.0
    part = part_of(samples.written(tmp_path / "r.json", record))
    assert part.headline[0].startswith("At equal PSNR with noise 10, optcodec")
    assert "Gaussian noise with a standard deviation of 10 was added to the decoded samples." in part.compared
    (charts,) = of_kind(part, Charts)
    assert [panel.label for panel in charts.panels] == ["a, noise 10"]


def test_what_could_not_be_compared_is_named(tmp_path: Path) -> None:
    record = samples.rates()
    record["bd_rates"] = [bd for bd in record["bd_rates"] if bd["sender"] != "mozjpeg"]
    assert part_of(samples.written(tmp_path / "r.json", record)).headline[-1] == "Not compared: mozjpeg."
    assert "Not compared" not in " ".join(part_of(samples.written(tmp_path / "r.json", samples.rates())).headline)


def test_another_subject_may_be_behind_its_rival(tmp_path: Path) -> None:
    path = samples.written(tmp_path / "r.json", samples.rates())
    part = part_of(path, subject="mozjpeg")
    assert plain(part.headline[0]).startswith("At equal PSNR, mozjpeg saves 1")
    assert part.headline[1].startswith("The strongest rival is optcodec:tune=psnr")
    assert part.headline[1].endswith("The rival is ahead.")
    assert "more bytes than optcodec:tune=psnr" in part.headline[2]


def test_charts_of_rates_are_the_points_of_the_file(tmp_path: Path) -> None:
    record = samples.rates(("jpeg", "optcodec"), ("jpeg", "default"))
    part = part_of(samples.written(tmp_path / "r.json", record))
    (charts,) = of_kind(part, Charts)
    (panel,) = charts.panels
    assert [chart.y_title for chart in panel.charts] == ["PSNR dB", "SSIM"]
    drawn = {
        (line.name, point.x, point.y.value, point.y.low, point.y.high)
        for line in panel.charts[0].lines
        for point in line.points
    }
    expected = set()
    for point in record["points"]:
        figure = point["measures"]["psnr"]
        name = f"{point['sender']} → {point['receiver']}"
        expected.add((name, point["bpp"]["value"], figure["value"], figure["low"], figure["high"]))
    assert drawn == expected
    looks = {(line.colour, line.dash) for line in panel.charts[0].lines}
    assert looks == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_the_worst_pictures_of_rates_come_first(tmp_path: Path) -> None:
    record = samples.rates()
    for row in record["rows"]:
        if row["sender"].startswith("optcodec") and row["image"] == "2.png":
            row["measures"]["psnr"] -= 1.5
    worst = next(table for table in of_kind(part_of(samples.written(tmp_path / "r.json", record)), Table))
    assert worst.rows[0][0] == "2.png"
    figures = [float(row[1].removesuffix(" %")) for row in worst.rows]
    assert figures == sorted(figures, reverse=True)
    assert figures[0] > 0 > figures[1]


def test_several_sets_have_panels_and_their_union_is_first(tmp_path: Path) -> None:
    record = samples.rates()
    for name in ("points", "bd_rates"):
        record[name] = [each | {"set": of} for of in ("a", "b", "all") for each in record[name]]
    part = part_of(samples.written(tmp_path / "r.json", record))
    (charts,) = of_kind(part, Charts)
    assert [panel.label for panel in charts.panels] == ["all", "a", "b"]
    heatmap = of_kind(part, Heatmap)[0]
    assert len(heatmap.columns) == 6


def test_accuracy_is_compared_at_equal_loss(tmp_path: Path) -> None:
    record = samples.accuracy()
    part = part_of(samples.written(tmp_path / "r.json", record))
    assert plain(part.headline[0]).startswith("At equal loss, OptS saves 20.")
    assert plain(part.headline[1]).startswith("The strongest rival is OptD: it saves 5.")
    (charts,) = of_kind(part, Charts)
    assert [len(panel.charts) for panel in charts.panels] == [2, 2]
    top1 = charts.panels[0].charts[0]
    assert top1.level is not None
    assert top1.level.value == record["uncompressed"]["top1_percent"]["value"]
    assert of_kind(part, Table) == []  # there are no rows beside the file


def test_the_worst_pictures_of_a_network_come_from_the_rows(tmp_path: Path) -> None:
    from tests.synthetic_rows import synthetic_rows

    rows = synthetic_rows({"jpeg": 1, "optd": 0.95, "opts": 0.8}, images=60, settings=("1", "bytes"))
    rows.save(tmp_path / "rows.npz")
    part = part_of(samples.written(tmp_path / "r.json", samples.accuracy() | {"rows": "rows.npz"}))
    (worst,) = of_kind(part, Table)
    setting = next(at for at in rows.conditions if (at.method, at.setting) == ("opts", "1"))
    indices = [n for n, at in enumerate(rows.conditions) if (at.method, at.setting) == ("opts", setting.setting)]
    middle = sorted(indices, key=lambda n: rows.nbytes[n].sum())[len(indices) // 2]
    increase = rows.loss[middle].astype(float) - rows.reference_loss
    assert worst.rows[0][0] == rows.images[int(np.argmax(increase))]
    assert worst.rows[0][1] == f"{increase.max():+.3f}"


def test_receivers_are_compared_at_equal_bytes_of_the_same_files(tmp_path: Path) -> None:
    part = part_of(samples.written(tmp_path / "r.json", samples.evaluate()))
    assert plain(part.headline[0]).startswith("At equal PSNR, default saves ")
    assert part.headline[1].startswith("The strongest rival is smooth")
    gains = next(each for each in of_kind(part, Heatmap) if each.title == "PSNR dB gained at equal bytes")
    assert gains.columns == ["quality 10", "quality 20", "quality 40"]
    assert gains.rows == ["smooth", "default"]
    np.testing.assert_allclose(np.array(gains.values, float), [[1] * 3, [2] * 3])


def test_a_manifest_and_the_json_of_encode_say_the_same(tmp_path: Path) -> None:
    path = samples.encoded(tmp_path)
    record = json.loads(path.read_text())
    part, of_manifest = part_of(path), part_of(tmp_path / "job.jsonl")
    saving = 100 * record["saving"]
    assert plain(part.headline[0]).startswith(f"Coding saves {saving:.1f} % (")
    assert part.headline == of_manifest.headline
    assert "--shared-tables" in of_manifest.command
    tables = of_kind(of_manifest, Heatmap)
    assert [len(table.values) for table in tables] == [8] * len(tables)
    assert tables[0].title == "Luminance table of all files"
    wiper = of_kind(part, Wiper)[0]
    assert {views.name for views in wiper.views} == {"photo", "second"}


def test_the_pictures_of_a_page_are_those_of_the_files(tmp_path: Path) -> None:
    original, coded = samples.pictures(tmp_path)
    wiper, maps = picture_sections([Named("original", original), Named("decoded", coded)])
    assert isinstance(wiper, Wiper)
    assert isinstance(maps, BlockMaps)
    first, second = wiper.views[0].layers
    shown = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(each.uri.partition(",")[2])))) for each in (first, second)
    ]
    assert np.array_equal(shown[0], np.asarray(Image.open(original)))
    assert np.array_equal(shown[1], np.asarray(Image.open(coded)))
    assert f"{coded.stat().st_size:,} bytes" in second.caption
    assert f"PSNR {psnr_db(shown[0], shown[1]):.2f} dB" in second.caption
    by_name = {overlay.name: overlay for overlay in maps.maps}
    assert np.array_equal(by_name["bits of decoded"].values, file_block_bits(coded.read_bytes()))
    error = by_name["error of decoded"]
    assert error.values.shape == (5, 6)
    block = shown[0][64:70, 80:90].astype(float) - shown[1][64:70, 80:90]
    assert error.values[4, 5] == pytest.approx(np.sqrt((block**2).mean()))


def test_a_gain_over_the_first_coded_picture_is_signed(tmp_path: Path) -> None:
    original, coded = samples.pictures(tmp_path)
    files = [Named("original", original), Named("decoded", coded), Named("restored", original)]
    wiper, maps = picture_sections(files)
    assert isinstance(maps, BlockMaps)
    gain = maps.maps[-1]
    assert gain.signed
    assert (gain.values >= 0).all()  # the last one is the original itself
    assert [overlay.signed for overlay in maps.maps[:-1]] == [False] * 3
    assert isinstance(wiper, Wiper)
    assert wiper.views[0].layers[2].caption == "equal to the original"  # without the size of the PNG file
    scales = {overlay.largest for overlay in maps.maps if overlay.name.startswith("error of") and not overlay.signed}
    assert len(scales) == 1


def test_pictures_lose_what_does_not_change_their_look(tmp_path: Path) -> None:
    """A page may be sent to strangers: where a picture was taken, and by whom, stays at home."""
    exif = Image.Exif()
    exif[0x010E] = "the secret place"
    pixels = photograph(40, 50)
    icc = b"a profile that is kept"
    coded = save(tmp_path / "a.jpg", pixels, quality=50, exif=exif, comment=b"the secret name", icc_profile=icc)
    assert b"secret" in coded.read_bytes()
    wiper = picture_sections([Named("original", coded), Named("decoded", coded)])[0]
    assert isinstance(wiper, Wiper)
    data = base64.b64decode(wiper.views[0].layers[0].uri.partition(",")[2])
    assert b"secret" not in data
    assert b"a profile that is kept" in data
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), np.asarray(Image.open(coded)))


def test_pictures_are_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = save(tmp_path / "turned.jpg", photograph(40, 50), quality=50, exif=exif)
    upright = save(tmp_path / "upright.png", np.rot90(photograph(40, 50), -1))
    wiper = picture_sections([Named("original", upright), Named("decoded", turned)])[0]
    assert isinstance(wiper, Wiper)
    assert [(layer.width, layer.height) for layer in wiper.views[0].layers] == [(40, 50)] * 2


def test_of_large_pictures_the_middle_is_shown(tmp_path: Path) -> None:
    pixels = np.tile(photograph(64, 64), (25, 30, 1))
    large = save(tmp_path / "large.png", pixels)
    sections = picture_sections([Named("original", large), Named("decoded", large)])
    (wiper,) = sections
    assert isinstance(wiper, Wiper)
    layer = wiper.views[0].layers[1]
    assert (layer.width, layer.height) == (1600, 1200)
    assert "the middle of 1920 x 1600 pixels is shown" in layer.caption
    assert np.array_equal(decoded(layer), pixels[200:1400, 160:1760])


def test_maps_of_blocks_are_those_of_the_command(tmp_path: Path) -> None:
    path = samples.block_maps(tmp_path)
    record = json.loads(path.read_text())
    (maps,) = of_kind(part_of(path), BlockMaps)
    assert [overlay.name for overlay in maps.maps] == list(record["maps"])
    for overlay in maps.maps:
        assert overlay.values.tolist() == record["maps"][overlay.name]["values"]
        assert overlay.signed == (overlay.values.min() < 0)


def test_the_smallest_file_of_a_comparison(tmp_path: Path) -> None:
    path = samples.compared(tmp_path)
    part = part_of(path)
    assert part.headline[0].startswith("photo.jpg is the smallest file")
    (wiper,) = of_kind(part, Wiper)
    assert [layer.name for layer in wiper.views[0].layers] == ["original", "photo.jpg", "better.jpg"]
    record = json.loads(path.read_text())
    record["files"][0] |= {"psnr_db": 99.0, "ssim": 1.0, "swe": 0.0}
    text = part_of(samples.written(path, record)).headline[0]
    assert text.endswith("fewer than better.jpg, and no worse by any measure.")


@pytest.mark.parametrize(
    ("sizes", "headline"),
    [
        ((900, 900, 900), "photo.jpg, better.jpg and third.jpg have 900 bytes."),
        ((900, 900, 1000), "photo.jpg and better.jpg are the smallest files, with 900 bytes each."),
    ],
)
def test_files_of_one_size_are_named_together(sizes: tuple[int, ...], headline: str, tmp_path: Path) -> None:
    path = samples.compared(tmp_path)
    record = json.loads(path.read_text())
    record["files"].append(record["files"][0] | {"path": "third.jpg"})
    for file, size in zip(record["files"], sizes, strict=True):
        file["nbytes"] = size
    assert part_of(samples.written(path, record)).headline == [headline]


def test_one_thing_is_singular(tmp_path: Path) -> None:
    record = samples.rates()
    record["rows"] = [row for row in record["rows"] if row["image"] == "0.png"]
    record["rates"] = record["rates"][:1]
    part = part_of(samples.written(tmp_path / "r.json", record))
    assert "coded 1 picture of a at 1 rate, with" in part.compared
    record = samples.evaluate()
    record["rows"] = [row for row in record["rows"] if row["image"] == "0.png"]
    assert part_of(samples.written(tmp_path / "e.json", record)).compared.startswith("1 picture of Set5 was coded by")


@pytest.mark.parametrize("earlier", [False, True])
def test_one_picture_has_no_interval_and_nobody_is_ahead(earlier: bool, tmp_path: Path) -> None:
    """Earlier results have one without width."""
    record = samples.rates()
    for bd in record["bd_rates"]:
        ends = bd["value"] if earlier else None
        bd.update(images=1, low=ends, high=ends)
    record["rows"] = [row for row in record["rows"] if row["image"] == "0.png"]
    part = part_of(samples.written(tmp_path / "r.json", record), subject="mozjpeg")
    assert re.fullmatch(
        r"At equal PSNR, mozjpeg saves 1\d\.\d % of the bytes of jpeg, without an interval\. The strongest rival is "
        r"optcodec:tune=psnr: it saves \d\d\.\d % of the bytes of jpeg, without an interval\. Directly, mozjpeg needs "
        r"\d\d\.\d % more bytes than optcodec:tune=psnr, without an interval\.",
        plain(" ".join(part.headline)),
    )


def test_one_coded_file_has_no_interval(tmp_path: Path) -> None:
    path = samples.encoded(tmp_path)
    record = json.loads(path.read_text())
    record["files"] = record["files"][:1]
    saving = 100 * (1 - record["files"][0]["nbytes"] / record["files"][0]["input_nbytes"])
    part = part_of(samples.written(path, record))
    expected = f"Coding saves {saving:.1f} % of the bytes of the input files, without an interval."
    assert plain(part.headline[0]) == expected


def test_one_verified_picture_has_no_interval(tmp_path: Path) -> None:
    record = samples.verify()
    for name in ("saved_percent", "agreement_percent", "loss_increase", "kl"):
        record["figures"][name] |= dict.fromkeys(("low", "high"), record["figures"][name]["value"])
    part = part_of(samples.written(tmp_path / "v.json", record))
    assert plain(part.headline[0]) == "Coding saves 40.0 % of the bytes of the original files, without an interval."
    assert part.headline[1] == "The loss of a network changes by +42.0000 nats."
    table = next(each for each in of_kind(part, Table) if each.title == "What the network sees")
    assert {row[2:] for row in table.rows} == {("", "")}


def test_a_comparison_has_its_further_measures_and_its_origin(tmp_path: Path) -> None:
    path = samples.compared(tmp_path, "--measure", "psnr_y,ssimulacra2")
    record, part = json.loads(path.read_text()), part_of(path)
    table = of_kind(part, Table)[0]
    assert list(table.columns[-2:]) == ["PSNR-Y dB", "SSIMULACRA2"]
    for row, file in zip(table.rows, record["files"], strict=True):
        assert list(row[-2:]) == [f"{file['psnr_y']:.2f}", f"{file['ssimulacra2']:.2f}"]
    assert part.command == record["command"]
    assert part.made_with.items() >= record["versions"].items()


@pytest.mark.parametrize("make", [samples.compared, samples.encoded, samples.block_maps])
def test_what_a_command_prints_says_how_it_was_made(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path)
    part = part_of(path)
    assert part.command == json.loads(path.read_text())["command"] != ""
    assert {"optcodec", "python", "numpy"} <= set(part.made_with)


def test_a_demo_has_pictures_tables_and_changes(tmp_path: Path) -> None:
    samples.demo(tmp_path)
    part = part_of(tmp_path / "demo.json")
    assert plain(part.headline[0]).startswith("At an equal weighted error, RD-OPT saves 22.5 % (20.0 to 25.0 %)")
    assert plain(part.headline[1]).startswith("The strongest rival is OptD: it saves 7.5 %")
    (wiper,) = of_kind(part, Wiper)
    assert [views.name for views in wiper.views] == ["coffee"]  # those of the other one are not there
    assert [layer.name for layer in wiper.views[0].layers] == ["original", "JPEG", "OptD", "RD-OPT"]
    changes, *tables = of_kind(part, Heatmap)
    assert changes.signed
    np.testing.assert_allclose(np.array(changes.values, float), [[0, -10, -20], [0, -5, -25]])
    assert [table.title for table in tables] == [f"{name} table of coffee" for name in ("JPEG", "OptD", "RD-OPT")]
    assert {table.largest for table in tables} == {75}


def test_a_verification_names_limits_and_the_worst(tmp_path: Path) -> None:
    part = part_of(samples.written(tmp_path / "r.json", samples.verify()))
    assert plain(part.headline[0]) == "Coding saves 40.0 % (39.0 to 41.0 %) of the bytes of the original files."
    tables = {table.title: table for table in of_kind(part, Table)}
    assert tables["Limits"].rows == [("--max-loss", "0.1", "0.5", "not kept")]
    assert tables["Worst pictures"].rows == [("0.png", "+0.5000", "0.1000", "900", "500")]


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (-20, -25, -15, "x saves 20.0 % (15.0 to 25.0 %) of the bytes of y"),
        (20, 15, 25, "x needs 20.0 % (15.0 to 25.0 %) more bytes than y"),
        (-2, -5, 1, "x needs 2.0 % (-1.0 to 5.0 %) fewer bytes than y, which may be chance"),
        (2, -1, 5, "x needs 2.0 % (-1.0 to 5.0 %) more bytes than y, which may be chance"),
        (-20, -np.inf, -15, "x saves 20.0 % (at least 15.0 %) of the bytes of y"),
        (20, 15, np.inf, "x needs 20.0 % (at least 15.0 %) more bytes than y"),
        (0, 0, 0, "x needs as many bytes as y"),
    ],
)
def test_changes_in_words(value: float, low: float, high: float, expected: str) -> None:
    assert plain(change_sentence("x", Interval(value, low, high), "y")) == expected


def test_the_rival_is_the_strongest_of_the_others() -> None:
    changes = [Change(name, Interval(value, value, value)) for name, value in zip("abcd", (0, -9, -5, -7), strict=True)]
    marked = roles(changes, ours="c", subject=None)
    assert [(change.name, change.role) for change in marked] == [("b", "rival"), ("d", ""), ("c", "subject"), ("a", "")]
    marked = roles(changes, ours="bd", subject=None)
    assert [(change.name, change.role) for change in marked] == [("b", "subject"), ("d", ""), ("c", "rival"), ("a", "")]


@pytest.mark.parametrize("kind", samples.KINDS)
def test_a_damaged_result_is_refused_or_shown(kind: str, tmp_path: Path) -> None:
    """Whatever is changed in a file, there is a page or one error that names the file."""
    path = samples.KINDS[kind](tmp_path)
    data, chance, messages = path.read_bytes(), random.Random(kind), []
    for _ in range(12):
        path.write_bytes(changed_json(data, chance))
        try:
            page_of([path])
        except OptcodecError as error:
            messages.append(str(error))
    assert len(messages) > 1
    assert [message for message in messages if str(path) not in message or "\n" in message] == []
