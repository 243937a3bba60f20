"""The arguments `effort`, `tune`, `field` and `blocks` of `encode`, and `rdo`, which is deprecated for their sake."""

from __future__ import annotations

import dataclasses
import io
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

import optcodec
from optcodec import (
    Bpp,
    InvalidInputError,
    MatchQuality,
    MatchSwe,
    MaxBytes,
    QualityField,
    Rdo,
    TargetNotMetError,
    Tuning,
    annex_k_tables,
    blocks_by,
    encode,
    load_profile,
    load_utility_profile,
    psnr_db,
    read_jpeg,
    transcode,
)
from optcodec.trellis.tuning import tuning_for
from tests.cli_helpers import photograph
from tests.peers import pillow_pixels

PHOTO = photograph(70, 90)
FILE = encode(PHOTO, quality=90).data
PROFILE = load_profile("generic")
FIELD = QualityField.from_mask(np.pad(np.full((30, 40), 255, np.uint8), ((20, 20), (20, 30))))
BLOCKS = blocks_by("x264")
# Receivers for which errors of RGB count, and for which those of components do.
DEBLOCK, MEASURED = (load_utility_profile(name) for name in ("deblock", "deblock-ssimulacra2"))

Options = dict[str, Any]


def size(**options: Any) -> int:
    return encode(PHOTO, **options).nbytes


# ---- Levels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"effort": 3}, {"effort": 4, "tune": "people", "rounds": 1}])
def test_the_smaller_kind_is_taken_where_the_other_one_is_too_large(options: Options) -> None:
    """Restart intervals of one MCU make progressive files far larger."""
    target, options = MaxBytes(800), options | {"restart_interval": 1}
    with pytest.raises(TargetNotMetError):
        encode(PHOTO, target=target, progressive=True, **options)
    file = encode(PHOTO, target=target, progressive="smaller", **options)
    assert file.data == encode(PHOTO, target=target, progressive=False, **options).data


def test_of_files_without_error_the_smaller_kind_is_taken() -> None:
    white = np.full((64, 64, 3), 255, np.uint8)
    baseline, progressive = (encode(white, target=Bpp(9), effort=3, progressive=kind).nbytes for kind in (False, True))
    assert baseline != progressive
    assert encode(white, target=Bpp(9), effort=3, progressive="smaller").nbytes == min(baseline, progressive)


@pytest.mark.parametrize("image", [PHOTO, PHOTO[..., 0], read_jpeg(FILE)], ids=["colour", "grey", "file"])
@pytest.mark.parametrize("options", [{}, {"subsampling": "4:4:4"}, {"metadata": False, "threads": 1}])
def test_a_size_alone_is_a_file_for_people(image: Any, options: Options) -> None:
    target = MaxBytes(2000)
    file = encode(image, target=target, **options)
    assert file.data == encode(image, target=target, tune="people", progressive="smaller", **options).data
    baseline = encode(image, target=target, progressive=False, **options)
    assert baseline.data == encode(image, target=target, tune="people", **options | {"progressive": False}).data


@pytest.mark.parametrize(
    "options",
    [
        {"target": Bpp(2.0)},
        {"target": MaxBytes(2000), "effort": 2},
        {"target": MaxBytes(2000), "method": "jpeg"},
        {"target": MaxBytes(2000), "profile": PROFILE},
        {"target": MaxBytes(2000), "dct": "exact"},
        {"target": MaxBytes(2000), "huffman": "standard"},
    ],
    ids=str,
)
def test_with_anything_else_a_size_is_met_by_tables(options: Options) -> None:
    file = encode(PHOTO, **options)
    assert file.data == encode(PHOTO, **{"effort": 2} | options).data
    assert not file.coefficients.progressive


def test_a_file_in_rgb_cannot_be_brought_to_a_size() -> None:
    """There are neither tunings nor designs of tables for its components."""
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "JPEG", quality=95, keep_rgb=True)
    for options in ({}, {"effort": 2}):
        with pytest.raises(InvalidInputError, match="grey or YCbCr images"):
            encode(read_jpeg(file.getvalue()), target=MaxBytes(4000), **options)


def test_the_least_effort_that_does_what_is_asked_for_is_the_default() -> None:
    assert encode(PHOTO, quality=60, effort=1).data == encode(PHOTO, quality=60).data
    target = Bpp(1.5)
    assert encode(PHOTO, target=target, effort=2).data == encode(PHOTO, target=target).data
    options: Options
    for options in ({"tune": "psnr"}, {"field": FIELD}, {"blocks": BLOCKS}):
        assert encode(PHOTO, effort=3, **options).data == encode(PHOTO, **options).data != encode(PHOTO).data


def test_files_of_a_size_have_less_error_with_more_effort() -> None:
    photo = np.ascontiguousarray(astronaut()[40:168, 150:342])
    fixed = encode(photo, quality=75, effort=1)
    files = [fixed, *(encode(photo, target=MaxBytes(fixed.nbytes), effort=effort) for effort in (2, 3))]
    first, second, third = (psnr_db(photo, pillow_pixels(file.data)) for file in files)
    assert first + 0.3 < second < third - 0.3


def test_effort_2_designs_tables_for_a_quality() -> None:
    for profile in (None, PROFILE):
        designed = encode(PHOTO, quality=60, effort=2, profile=profile)
        assert designed.data == encode(PHOTO, target=MatchQuality(60, jointly=True), profile=profile).data


def test_effort_3_is_tuned_for_psnr_or_for_the_profile_that_is_there() -> None:
    assert encode(PHOTO, effort=3).data == encode(PHOTO, tune="psnr").data != encode(PHOTO, tune="ycbcr").data
    tuned = encode(PHOTO, effort=3, quality=60, tune=PROFILE)
    assert encode(PHOTO, effort=3, quality=60, profile=PROFILE).data == tuned.data != encode(PHOTO, quality=60).data


def test_tunings_by_component_have_the_weights_of_those_of_rgb() -> None:
    by_components = dataclasses.replace(tuning_for("psnr"), of_rgb=False)
    assert encode(PHOTO, tune=by_components).data == encode(PHOTO, tune="ycbcr").data


def test_tables_stay_with_effort_3() -> None:
    tables = annex_k_tables(40)
    fixed, chosen = (encode(PHOTO, tables=tables, effort=effort) for effort in (1, 3))
    assert chosen.coefficients.tables == fixed.coefficients.tables
    assert chosen.nbytes < fixed.nbytes


def test_files_are_transcoded_with_the_same_arguments() -> None:
    image = read_jpeg(FILE)
    assert transcode(FILE).data == transcode(FILE, effort=1).data == FILE
    options: Options
    for options in ({"effort": 3}, {"effort": 2, "quality": 60}, {"tune": "people", "quality": 60}):
        assert len(FILE) > transcode(FILE, **options).nbytes == encode(image, **options).nbytes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"effort": 0}, r"effort is a whole number in 1\.\.4, got 0"),
        ({"effort": 5}, r"effort is a whole number in 1\.\.4, got 5"),
        ({"effort": True}, r"effort is a whole number in 1\.\.4, got True"),
        ({"effort": "3"}, r"effort is a whole number in 1\.\.4, got '3'"),
        ({"effort": 1, "target": Bpp(1.0)}, "fixed with effort 1, so that no target can be met; expected effort 2 or"),
        ({"effort": 1, "target": Bpp(1.0), "method": "jpeg"}, "fixed with effort 1, method designs them; expected eff"),
        (
            {"effort": 1, "quality": 50, "profile": PROFILE},
            "with effort 1, so that profile has no effect; expected effort 2",
        ),
        ({"profile": PROFILE}, r"profile needs a target such as target=Bpp\(1\.0\); or quality with effort 2 or 3"),
        ({"method": "jpeg", "quality": 50}, r"method designs tables for a target such as target=Bpp\(1\.0\); got none"),
        ({"effort": 2}, "effort 2 designs tables for quality or a target, got neither"),
        ({"effort": 2, "tables": annex_k_tables(50)}, "effort 2 designs tables, so that tables has no effect; expect"),
        ({"effort": 3, "dct": "exact"}, "dct exact rounds coefficients, so that effort 3 cannot optimize them; expec"),
        ({"tune": "ssim", "dct": "exact"}, "dct exact rounds coefficients"),
        ({"tune": "ssim", "profile": PROFILE, "target": Bpp(1.0)}, "profile has no effect with tune; expected one of"),
        ({"tune": 5}, "5 has no tuning"),
        ({"tune": load_utility_profile}, "has no tuning"),
        ({"field": np.ones((2, 3))}, "a field is a QualityField, got ndarray"),
        ({"blocks": "x264"}, "blocks are weighed by a BlockChoice, got str; expected what blocks_by makes of a name"),
    ],
)
def test_what_does_not_go_together(options: Options, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        encode(PHOTO, **options)


@pytest.mark.parametrize("effort", [1, 2])
@pytest.mark.parametrize("name", ["tune", "field", "blocks"])
def test_arguments_that_need_a_trellis(name: str, effort: int) -> None:
    value = {"tune": "ssim", "field": FIELD, "blocks": BLOCKS}[name]
    message = f"{name} has no effect unless coefficients are optimized; expected effort 3, got {effort}"
    with pytest.raises(InvalidInputError, match=message):
        encode(PHOTO, quality=50, effort=effort, **{name: value})


def test_a_profile_beside_a_tuning_has_an_effect_where_an_error_is_weighed() -> None:
    limit = MatchSwe(20.0)
    assert size(tune="people", profile=PROFILE, target=limit) != size(tune="people", target=limit)


# ---- Deprecated ------------------------------------------------------------------------------------------------------


def warned(call: Callable[[], Any]) -> tuple[Any, list[str]]:
    """What a call gives, and the warnings with which it points at this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    assert {(warning.category, warning.filename) for warning in caught} <= {(DeprecationWarning, __file__)}
    return result, [str(warning.message) for warning in caught]


OF_CHANNELS = replace(blocks_by("qpnet:denoise25"), profile=MEASURED)  # whose tuning has of_rgb=False
RDO, OF_CLASS = "rdo is deprecated; write effort=3", "Rdo and thorough are deprecated; write effort=3, "
FASTER = "which is faster, for the same bytes as before"


def old(**options: Any) -> Rdo:
    value, messages = warned(lambda: Rdo(**options))
    assert [message[: len(OF_CLASS)] for message in messages] == [OF_CLASS]
    assert isinstance(value, Rdo)
    return value


@pytest.mark.parametrize(
    ("rdo", "others", "options", "advice"),
    [
        (True, {}, {"tune": "ycbcr"}, f'{RDO}; or tune="ycbcr", {FASTER}'),
        (True, {"profile": PROFILE, "target": Bpp(1.5)}, {"effort": 3}, RDO),
        ({"thorough": True}, {}, {"effort": 3}, RDO),
        ({"thorough": True}, {"target": MaxBytes(2000)}, {"effort": 3}, RDO),
        ({"tune": "psnr"}, {"quality": 40}, {"tune": "ycbcr"}, f'{RDO}, tune="psnr"; or tune="ycbcr", {FASTER}'),
        ({"tune": "people"}, {}, {"tune": "people"}, f'{RDO}, tune="people"'),
        ({"tune": "ssim", "thorough": True}, {"progressive": True}, {"tune": "ssim"}, f'{RDO}, tune="ssim"'),
        ({"tune": PROFILE}, {"quality": 60}, {"tune": PROFILE}, f"{RDO}, tune=..."),
        ({"field": FIELD, "thorough": True}, {}, {"field": FIELD}, f"{RDO}, field=..."),
        ({"field": FIELD, "blocks": BLOCKS}, {}, {"tune": "ycbcr", "field": FIELD, "blocks": BLOCKS},
         f'{RDO}, field=..., blocks=...; or tune="ycbcr", {FASTER}'),
        ({"tune": MEASURED}, {}, {"tune": MEASURED}, f"{RDO}, tune=..."),
        ({"tune": DEBLOCK, "thorough": True}, {}, {"tune": DEBLOCK}, f"{RDO}, tune=..."),
        ({"blocks": OF_CHANNELS}, {}, {"blocks": OF_CHANNELS}, f"{RDO}, blocks=..."),
    ],
)  # fmt: skip
def test_deprecated_arguments_go_on_working(
    rdo: bool | Options, others: Options, options: Options, advice: str
) -> None:
    """With a warning that says what to write instead, and which gives the same file."""
    value = rdo if isinstance(rdo, bool) else old(**rdo)
    file, messages = warned(lambda: encode(PHOTO, rdo=value, **others))
    assert messages == [advice]
    assert file.data == encode(PHOTO, **options, **others).data


def test_receivers_of_rgb_were_tuned_by_components_unless_thoroughly() -> None:
    assert DEBLOCK.tuning is not None
    assert DEBLOCK.tuning.of_rgb
    by_components: Tuning = dataclasses.replace(DEBLOCK.tuning, of_rgb=False)
    expected = encode(PHOTO, tune=by_components, subsampling=DEBLOCK.provenance.subsampling).data
    assert expected != encode(PHOTO, tune=DEBLOCK).data
    blocks = blocks_by("qpnet:deblock")
    weighed = encode(PHOTO, tune=by_components, blocks=blocks).data
    for options, data in (({"tune": DEBLOCK}, expected), ({"blocks": blocks}, weighed)):
        file, messages = warned(lambda options=options: encode(PHOTO, rdo=old(**options)))
        assert file.data == data
        assert messages[-1].endswith(f"; or a tuning with of_rgb=False, {FASTER}")


def test_receivers_keep_their_sampling() -> None:
    rdo = old(tune=DEBLOCK)
    message = "profile deblock is for 4:2:0 sampling; expected 4:4:4"
    with pytest.warns(DeprecationWarning, match="rdo is"), pytest.raises(InvalidInputError, match=message):
        encode(PHOTO, rdo=rdo, subsampling="4:4:4")


def test_rdo_false() -> None:
    for options in ({}, {"target": Bpp(1.5)}):
        file, messages = warned(lambda options=options: encode(PHOTO, rdo=False, **options))
        assert messages == ["rdo is deprecated; leave out rdo=False"]
        assert file.data == encode(PHOTO, **options).data


def test_rdo_of_transcode() -> None:
    file, messages = warned(lambda: transcode(FILE, quality=50, rdo=True))
    assert messages == [f'{RDO}; or tune="ycbcr", {FASTER}']
    assert file.data == transcode(FILE, quality=50, effort=3).data


def test_a_profile_without_effect_beside_rdo_is_still_taken() -> None:
    rdo = old(tune="people")
    file, _ = warned(lambda: encode(PHOTO, rdo=rdo, profile=PROFILE, target=Bpp(1.5)))
    assert file.data == encode(PHOTO, tune="people", target=Bpp(1.5), subsampling=PROFILE.provenance.subsampling).data


def test_copies_of_deprecated_values_name_the_line_of_the_user() -> None:
    rdo = old(tune="people")
    replaced, messages = warned(lambda: dataclasses.replace(rdo, thorough=True))
    assert (replaced.tune, replaced.thorough, len(messages)) == ("people", True, 1)


@pytest.mark.parametrize("value", [True, False, "made"])
def test_rdo_and_what_stands_in_its_place_exclude_one_another(value: bool | str) -> None:
    rdo = old() if value == "made" else value
    options: Options
    for options in ({"effort": 3}, {"tune": "ssim"}, {"field": FIELD, "blocks": BLOCKS}):
        names = " and ".join(options)
        message = f"rdo and {names} exclude one another; expected {names} alone, as rdo is deprecated"
        with pytest.raises(InvalidInputError, match=message):
            encode(PHOTO, rdo=rdo, **options)  # type: ignore[arg-type]


def test_wrong_values_of_rdo() -> None:
    for value in ("psnr", 3, 1.0):
        with pytest.raises(InvalidInputError, match=rf"rdo is True, False or an Rdo, got {value!r}; expected effort=3"):
            encode(PHOTO, rdo=value)  # type: ignore[arg-type]
    for options in ({"tune": "vmaf"}, {"field": FIELD.weights}, {"blocks": "x264"}):
        with pytest.raises(InvalidInputError):
            Rdo(**options)  # type: ignore[arg-type]
    with (
        pytest.warns(DeprecationWarning, match="rdo is"),
        pytest.raises(InvalidInputError, match="dct exact rounds coefficients"),
    ):
        optcodec.encode(PHOTO, rdo=True, dct="exact")
