"""Measures of decoded pictures: the values of other programs, bounds, and pictures that are too small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import correlate1d

from optcodec.errors import InvalidInputError
from optcodec.metrics import luminance, psnr_db, ssim, ssimulacra2
from optcodec.peers.encoders import encode_turbo
from optcodec.rates import MEASURES, decoded, load_measures
from optcodec.rates.measures import fsim, ms_ssim
from tests.cli_helpers import photograph, save

PICTURE = photograph(180, 200)
CODED = {quality: decoded(encode_turbo(PICTURE, "4:2:0", quality)) for quality in (10, 40, 90)}
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang, Simoncelli and Bovik (2003), section 3.2


def halved(plane: np.ndarray) -> np.ndarray:
    """Means of squares of 2x2 samples; a last row or column alone is left out."""
    rows, columns = (extent // 2 for extent in plane.shape)
    return plane[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean((1, 3))


def naive_ms_ssim(reference: np.ndarray, test: np.ndarray) -> float:
    """MS-SSIM of two gray pictures, written down from its paper; windows lie within the picture."""
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets**2) / (2 * 1.5**2))
    window /= window.sum()
    x, y, result = reference.astype(np.float64), test.astype(np.float64), 1.0

    def mean(values: np.ndarray) -> np.ndarray:
        return correlate1d(correlate1d(values, window, 0), window, 1)[5:-5, 5:-5]

    for scale, weight in enumerate(WEIGHTS):
        mx, my = mean(x), mean(y)
        contrast = (2 * (mean(x * y) - mx * my) + 58.5225) / (mean(x * x) - mx**2 + mean(y * y) - my**2 + 58.5225)
        likeness = (2 * mx * my + 6.5025) / (mx**2 + my**2 + 6.5025)
        result *= float(np.mean(contrast * likeness if scale == 4 else contrast)) ** weight
        x, y = (
            v[: v.shape[0] // 2 * 2, : v.shape[1] // 2 * 2].reshape(v.shape[0] // 2, 2, -1, 2).mean((1, 3))
            for v in (x, y)
        )
    return result


@pytest.mark.parametrize("quality", CODED)
def test_ms_ssim_is_that_of_its_paper(quality: int) -> None:
    pytest.importorskip("torchmetrics")
    expected = naive_ms_ssim(luminance(PICTURE), luminance(CODED[quality]))
    assert ms_ssim(PICTURE, CODED[quality]) == pytest.approx(expected, abs=2e-4)
    assert ms_ssim(PICTURE[..., 0], CODED[quality][..., 0]) < 1
    assert ms_ssim(PICTURE, PICTURE) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("quality", CODED)
@pytest.mark.parametrize("size", [(180, 200), (512, 520)])
def test_fsim_is_that_of_another_implementation(quality: int, size: tuple[int, int]) -> None:
    """piqa was written independently. Both average the larger picture down by two first."""
    pytest.importorskip("piq")
    piqa = pytest.importorskip("piqa")
    import torch

    picture = photograph(*size)
    coded = decoded(encode_turbo(picture, "4:2:0", quality))
    planes = [torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255 for image in (coded, picture)]
    assert fsim(picture, coded) == pytest.approx(float(piqa.FSIM(chromatic=True)(*planes)), abs=1e-4)
    gray = [plane[:, :1] for plane in planes]  # its gray is that of three equal channels
    expected = float(piqa.FSIM(chromatic=False)(*(plane.expand(-1, 3, -1, -1) for plane in gray)))
    assert fsim(picture[..., 0], coded[..., 0]) == pytest.approx(expected, abs=1e-4)
    assert fsim(picture, picture) == pytest.approx(1, abs=1e-6)


def test_ssimulacra2_is_that_of_its_package_for_files(tmp_path: Path) -> None:
    from ssimulacra2 import compute_ssimulacra2

    values = [ssimulacra2(PICTURE, CODED[quality]) for quality in (10, 40, 90)]
    assert values == sorted(values)
    paths = [save(tmp_path / "a.png", PICTURE), save(tmp_path / "b.png", CODED[40])]
    assert values[1] == float(compute_ssimulacra2(*map(str, paths)))
    assert ssimulacra2(PICTURE, PICTURE) == pytest.approx(100)
    assert ssimulacra2(PICTURE[..., 0], PICTURE[..., 0]) == pytest.approx(100)


def test_measures_of_luminance() -> None:
    pytest.importorskip("torchmetrics")
    pytest.importorskip("piq")
    names = [name for name in MEASURES if not name.startswith("butteraugli")]  # it needs a program, not a package
    of = load_measures(names)
    assert list(of) == names
    pair = PICTURE, CODED[40]
    gray = luminance(PICTURE), luminance(CODED[40])
    assert (of["psnr"](*pair), of["psnr_y"](*pair)) == (psnr_db(*pair), psnr_db(*gray))
    assert (of["ssim"](*pair), of["ssim_y"](*pair)) == (ssim(*pair), ssim(*gray))
    assert (of["psnr_y"](*gray), of["ssim_y"](*gray)) == (psnr_db(*gray), ssim(*gray))


@pytest.mark.parametrize(
    ("name", "side", "message"),
    [
        ("ms_ssim", 175, "MS-SSIM needs at least 176 pixels on each side, got shape \\(175, 200, 3\\)"),
        ("fsim", 15, "FSIM needs at least 16 pixels on each side, got shape \\(15, 200, 3\\)"),
        ("ssimulacra2", 7, "SSIMULACRA2 needs at least 8 pixels on each side, got shape \\(7, 200, 3\\)"),
    ],
)
def test_pictures_that_are_too_small(name: str, side: int, message: str) -> None:
    pytest.importorskip({"ms_ssim": "torchmetrics", "fsim": "piq", "ssimulacra2": "ssimulacra2"}[name])
    measure = load_measures([name])[name]
    with pytest.raises(InvalidInputError, match=message):
        measure(PICTURE[:side], PICTURE[:side])
    assert measure(PICTURE[: side + 1], CODED[90][: side + 1]) > 0
