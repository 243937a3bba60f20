"""CMYK and YCCK are converted to RGB with the profile if there is one; Adobe's inverted values come out right."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from optcodec import InvalidInputError, encode, load_picture, read_jpeg
from optcodec.pictures.orientation import minimal_exif, orientation_of, turned
from optcodec.transcoding import transcode
from tests.cli_helpers import messages, photograph, refusal, run, run_json, save
from tests.cmyk_helpers import cmyk_file, lab_of, patches, profile, ycck_file

BY_PROFILE = "converted CMYK to sRGB with its ICC profile"
PLAIN = "converted CMYK to RGB by Pillow's plain rule, as there is no ICC profile"
UNUSABLE = "converted CMYK to RGB by Pillow's plain rule, as its ICC profile cannot be used"
FILES = {
    "JPEG": lambda icc=None: cmyk_file("JPEG", icc_profile=icc),
    "YCCK": ycck_file,
    "TIFF": lambda icc=None: cmyk_file("TIFF", **({"icc_profile": icc} if icc else {})),
}
INKS = [tuple(patches()[8, 16 * index + 8] / 255.0) for index in range(7)]


def srgb_of(lab: tuple[float, float, float]) -> np.ndarray:
    """sRGB (IEC 61966-2-1) of L*a*b* at D50, 0..255, with black point compensation from L* = 20."""
    light, a, b = lab
    y = (light + 16) / 116
    ratios = [
        value**3 if value > 6 / 29 else 3 * (6 / 29) ** 2 * (value - 4 / 29) for value in (y + a / 500, y, y - b / 200)
    ]
    black = ((20 + 16) / 116) ** 3
    xyz = (np.array(ratios) - black) / (1 - black) * np.array([0.9642, 1.0, 0.8249])
    from_d50 = np.array([[3.1339, -1.6169, -0.4906], [-0.9788, 1.9161, 0.0335], [0.0719, -0.2290, 1.4052]])
    linear = np.clip(from_d50 @ xyz, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def middles(pixels: np.ndarray) -> np.ndarray:
    """Return the colour in the middle of each patch."""
    return pixels[8, 8::16].astype(float)


@pytest.mark.parametrize("intents_differ", [False, True])
@pytest.mark.parametrize("kind", FILES)
def test_colours_are_those_of_the_profile(kind: str, intents_differ: bool) -> None:
    """Relative colorimetric: the table of the perceptual intent, which is grey here, does not count."""
    picture = load_picture(FILES[kind](profile(intents_differ=intents_differ)), to_rgb=True)
    expected = [srgb_of(lab_of(inks)) for inks in INKS]
    np.testing.assert_allclose(middles(picture.pixels), expected, atol=6)
    assert picture.notices == (BY_PROFILE,)
    assert picture.metadata.icc_profile is None


@pytest.mark.parametrize("kind", FILES)
def test_without_a_profile_inks_count_as_ideal(kind: str) -> None:
    picture = load_picture(FILES[kind](), to_rgb=True)
    expected = [255 * (1 - np.array(inks[:3])) * (1 - inks[3]) for inks in INKS]
    np.testing.assert_allclose(middles(picture.pixels), expected, atol=4)
    assert picture.notices == (PLAIN,)


@pytest.mark.parametrize("icc", [b"no profile", profile()[:200], None])
def test_an_unusable_profile_is_ignored(icc: bytes | None) -> None:
    if icc is None:
        from PIL import ImageCms

        icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = load_picture(cmyk_file("JPEG", icc_profile=icc), to_rgb=True)
    np.testing.assert_array_equal(picture.pixels, load_picture(cmyk_file("JPEG"), to_rgb=True).pixels)
    assert picture.notices == (UNUSABLE,)
    assert picture.metadata.icc_profile is None


def test_without_littlecms_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.features.check", lambda name: name != "littlecms2")
    with pytest.raises(InvalidInputError, match="expected a Pillow with littleCMS"):
        load_picture(cmyk_file("JPEG", icc_profile=profile()), to_rgb=True)
    assert load_picture(cmyk_file("JPEG"), to_rgb=True).notices == (PLAIN,)


@pytest.mark.parametrize("kind", FILES)
def test_cmyk_is_refused_by_default(kind: str) -> None:
    for take in (load_picture, encode):
        with pytest.raises(InvalidInputError, match=r"CMYK colours; expected RGB .*encode --to-rgb or to_rgb=True"):
            take(FILES[kind]())


def test_other_images_are_left_alone() -> None:
    file = io.BytesIO()
    Image.fromarray(photograph(16, 24)).save(file, "PNG", icc_profile=b"colours")
    for image in (photograph(16, 24), photograph(16, 24)[..., 0], file.getvalue()):
        one, other = load_picture(image), load_picture(image, to_rgb=True)
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert one.metadata == other.metadata
        assert other.notices == ()


@pytest.mark.parametrize("metadata", [None, True])
def test_encode_converts(metadata: Any) -> None:
    data = FILES["JPEG"](profile())
    encoded = encode(data, to_rgb=True, metadata=metadata, quality=95, subsampling="4:4:4")
    pixels = np.asarray(Image.open(io.BytesIO(encoded.data)))
    np.testing.assert_allclose(pixels, load_picture(data, to_rgb=True).pixels, atol=12)
    assert read_jpeg(encoded.data).metadata.icc_profile is None


def test_coefficients_are_not_converted() -> None:
    expected = "pixels are converted to RGB, got the coefficients of a JPEG file; expected its pixels"
    for kind in ("JPEG", "YCCK"):
        data = FILES[kind]()
        for take in (lambda data: encode(read_jpeg(data), to_rgb=True), lambda data: transcode(data, to_rgb=True)):
            with pytest.raises(InvalidInputError, match=expected):
                take(data)
        assert len(read_jpeg(encode(read_jpeg(data)).data).components) == 4
    three = encode(photograph(16, 24)).data
    assert transcode(three, to_rgb=True).data == transcode(three).data


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("verb", ["encode", "design", "compare"])
def test_the_command_line_converts(tmp_path: Path, kind: str, verb: str) -> None:
    source, out = tmp_path / "a.img", tmp_path / ("out.json" if verb == "design" else "out.jpg")
    source.write_bytes(FILES[kind](profile()))
    save(tmp_path / "reference.png", load_picture(source, to_rgb=True).pixels)
    if verb == "compare":
        (record,) = run_json("compare", tmp_path / "reference.png", source, "--to-rgb")["files"]
        assert record["psnr_db"] is None  # infinite: the pixels are equal
        return
    options = ("--match-quality", 50) if verb == "design" else ()
    result = run(verb, source, "-o", out, "--to-rgb", *options)
    assert result.exit_code == 0, result.output
    assert f"{source}: {BY_PROFILE}" in messages(result)
    with_colours = out.read_bytes()
    assert run(verb, tmp_path / "reference.png", "-o", out, *options).exit_code == 0
    assert out.read_bytes() == with_colours


def test_a_tiff_file_is_refused_with_the_option_named(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(FILES["TIFF"]())
    assert "--to-rgb" in refusal("encode", tmp_path / "a.tif", "-o", tmp_path / "out.jpg")
    assert not (tmp_path / "out.jpg").exists()


def test_files_of_other_colours_are_still_transcoded(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "cmyk.jpg").write_bytes(FILES["JPEG"]())
    (tmp_path / "in" / "rgb.jpg").write_bytes(encode(photograph(16, 24), quality=90).data)
    result = run("encode", tmp_path / "in", "-o", tmp_path / "out", "--to-rgb")
    assert result.exit_code == 0, result.output
    coefficients = [read_jpeg((tmp_path / "out" / name).read_bytes()) for name in ("cmyk.jpg", "rgb.jpg")]
    assert [len(image.components) for image in coefficients] == [3, 3]
    expected = read_jpeg((tmp_path / "in" / "rgb.jpg").read_bytes())
    for one, other in zip(coefficients[1].components, expected.components, strict=True):
        np.testing.assert_array_equal(one.blocks, other.blocks)
    assert f"{tmp_path / 'in' / 'cmyk.jpg'}: {PLAIN}" in messages(result)


@pytest.mark.parametrize("icc", [None, profile()])
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_a_truncated_file_is_refused(kind: str, icc: bytes | None) -> None:
    data = FILES[kind](icc)
    cut = data[:-200] if kind == "JPEG" else data[:5000]
    with pytest.raises(InvalidInputError, match=r"cannot be decoded|not an image file"):
        load_picture(cut, to_rgb=True)


@pytest.mark.parametrize("orient", ["keep", "apply"])
def test_the_orientation_goes_with_it(orient: Any) -> None:
    exif = minimal_exif(6)
    assert exif is not None
    data = cmyk_file("JPEG", icc_profile=profile(), exif=b"Exif\0\0" + exif)
    picture = load_picture(data, to_rgb=True, orient=orient)
    upright = load_picture(cmyk_file("JPEG", icc_profile=profile()), to_rgb=True).pixels
    np.testing.assert_array_equal(picture.pixels, turned(upright, 6) if orient == "apply" else upright)
    assert orientation_of(picture.metadata.exif) == (1 if orient == "apply" else 6)
    assert picture.notices[0] == BY_PROFILE
