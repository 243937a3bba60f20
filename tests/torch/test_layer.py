"""`DifferentiableJpeg`: the pixels of the real file, gradients, the rate, and tables that are trained."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

import numpy as np  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from PIL import Image  # noqa: E402
from skimage import data  # noqa: E402
from torch import Tensor  # noqa: E402

from optcodec import InvalidInputError, annex_k_tables, encode  # noqa: E402
from optcodec.jpeg.table_files import load_tables  # noqa: E402
from optcodec.jpeg.tables import QuantTable  # noqa: E402
from optcodec.torch import DifferentiableJpeg  # noqa: E402
from tests.strategies import quant_tables  # noqa: E402

SAMPLINGS = ("4:4:4", "4:2:0", "4:2:2", "4:4:0")


def photograph(height: int = 96, width: int = 112) -> np.ndarray:
    return np.ascontiguousarray(data.astronaut()[60 : 60 + height, 150 : 150 + width])


def images_of(pixels: np.ndarray) -> Tensor:
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return torch.from_numpy(planes.astype(np.float32) / 255)[None]


def pixels_of(images: Tensor) -> np.ndarray:
    planes = (images[0] * 255).detach().numpy()
    whole = np.rint(planes)
    np.testing.assert_allclose(planes, whole, atol=1e-3)
    return whole[0] if len(whole) == 1 else whole.transpose(1, 2, 0)


def decoded(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)))


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    tables=st.lists(quant_tables(), min_size=1, max_size=2),
    subsampling=st.sampled_from(SAMPLINGS),
    gray=st.booleans(),
    seed=st.integers(0, 9),
)
def test_the_pixels_are_those_of_the_file(
    size: tuple[int, int], tables: list[QuantTable], subsampling: str, gray: bool, seed: int
) -> None:
    """Of photographs and of noise, whose samples a decoder has to clip."""
    pixels = photograph(*size) if seed < 5 else np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    pixels = pixels[..., 1] if gray else pixels
    layer = DifferentiableJpeg(tables, subsampling=subsampling)
    assert layer.tables() == tuple(tables)
    options: dict[str, Any] = {"subsampling": subsampling, "dct": "exact"}
    expected = decoded(encode(np.ascontiguousarray(pixels), tables=tables[:1] if gray else tables, **options).data)
    np.testing.assert_array_equal(pixels_of(layer(images_of(pixels)).images), expected)


@pytest.mark.parametrize("subsampling", SAMPLINGS)
@pytest.mark.parametrize("quality", [10, 60, 95])
def test_photographs_in_a_batch(quality: int, subsampling: str) -> None:
    both = [photograph(), photograph()[::-1].copy()]
    layer = DifferentiableJpeg(quality, subsampling=subsampling)
    coded = layer(torch.cat([images_of(pixels) for pixels in both]))
    for index, pixels in enumerate(both):
        file = encode(pixels, quality=quality, subsampling=subsampling, dct="exact")
        np.testing.assert_array_equal(pixels_of(coded.images[index : index + 1]), decoded(file.data))
        np.testing.assert_allclose(coded.bpp[index], layer(images_of(pixels)).bpp[0], rtol=1e-4)


def test_without_rounding_the_gradient_would_be_that_of_the_identity() -> None:
    """With all chrominance, coding is the identity up to its roundings; where nothing is clipped, gradients pass."""
    pixels = np.clip(photograph(), 60, 190)
    images = images_of(pixels).requires_grad_(True)
    weights = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    (DifferentiableJpeg(90, subsampling="4:4:4")(images).images * weights).sum().backward()
    torch.testing.assert_close(images.grad, weights, atol=0.02, rtol=0.02)


def test_clipped_pixels_have_no_gradient() -> None:
    images = torch.ones(1, 3, 16, 16, requires_grad=True)
    DifferentiableJpeg(50)(images).images.sum().backward()
    white = images.grad
    assert white is not None
    beyond = torch.full((1, 3, 16, 16), 1.5, requires_grad=True)
    DifferentiableJpeg(50)(beyond).images.sum().backward()
    assert beyond.grad is not None
    assert beyond.grad.abs().max() == 0


@pytest.mark.parametrize("quality", [30, 60])
@pytest.mark.parametrize("frequencies", [(slice(0, 8), slice(0, 8)), (slice(0, 3), slice(0, 3))])
def test_gradients_of_steps_are_those_of_finite_differences(quality: int, frequencies: tuple[slice, slice]) -> None:
    """Of the squared error and of the bits, by steps that grow together, to a factor of two: they are estimates."""
    images = images_of(np.ascontiguousarray(data.astronaut()[:256, 100:356]))

    def measured(layer: DifferentiableJpeg) -> Tensor:
        coded = layer(images)
        return torch.stack([(coded.images - images).square().mean(), coded.bpp.mean()])

    ends = []
    for change in (0.2, -0.2):
        layer = DifferentiableJpeg(quality)
        layer.log_steps[:, *frequencies] += change
        ends.append(measured(layer))
    expected = (ends[0] - ends[1]) / 0.4
    layer = DifferentiableJpeg(quality, learnable=True)
    for value, slope in zip(measured(layer), expected, strict=True):
        (gradient,) = torch.autograd.grad(value, layer.log_steps, retain_graph=True)
        torch.testing.assert_close(gradient[:, *frequencies].sum(), slope, rtol=0.5, atol=0)


def test_soft_rounding_is_smooth() -> None:
    images = images_of(np.clip(photograph(32, 32), 60, 190)).requires_grad_(True)
    soft = DifferentiableJpeg(20, rounding="soft")
    coded = soft(images)
    (coded.images.sum() + coded.bpp.sum()).backward()
    assert images.grad is not None
    assert torch.isfinite(images.grad).all()
    straight = DifferentiableJpeg(20)(images_of(np.clip(photograph(32, 32), 60, 190))).images
    difference = (coded.images - straight).abs() * 255
    assert 0 < difference.max() < 60
    assert difference.mean() < 3


@pytest.mark.parametrize("subsampling", SAMPLINGS)
def test_the_rate_follows_that_of_real_files(subsampling: str) -> None:
    pixels = np.ascontiguousarray(data.astronaut()[:256, 100:356])
    found, real = [], []
    for quality in (15, 30, 50, 70, 85, 95):
        found.append(float(DifferentiableJpeg(quality, subsampling=subsampling)(images_of(pixels)).bpp))
        file = encode(pixels, quality=quality, subsampling=subsampling)
        real.append(8 * (file.nbytes - 300) / 256**2)  # without headers
    assert found == sorted(found)
    np.testing.assert_allclose(found, real, rtol=0.25)


def test_trained_tables_cost_fewer_bits_for_the_same_error_and_are_those_of_the_file(tmp_path: Path) -> None:
    pixels = photograph()
    images = images_of(pixels)
    layer = DifferentiableJpeg(50, learnable=True)
    with torch.no_grad():
        before = layer(images)
    error_before = (before.images - images).square().mean()
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    for _ in range(60):
        coded = layer(images)
        error = (coded.images - images).square().mean()
        loss = error / error_before + coded.bpp.mean() / before.bpp.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        after = layer(images)
    gain = (after.images - images).square().mean() / error_before + after.bpp.mean() / before.bpp.mean()
    assert gain < 1.95  # 2 without training
    layer.save(tmp_path / "tables.json")
    tables = load_tables(tmp_path / "tables.json")
    assert tables == layer.tables() != annex_k_tables(50)
    file = encode(pixels, tables=tables, dct="exact")
    np.testing.assert_array_equal(pixels_of(after.images), decoded(file.data))


def test_steps_are_not_trained_unless_asked_for() -> None:
    assert not DifferentiableJpeg(50).log_steps.requires_grad
    assert DifferentiableJpeg(50, learnable=True).log_steps.requires_grad


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tables": 0}, r"quality is a whole number in 1\.\.100, got 0"),
        ({"tables": []}, r"expected a quality, or one or two tables, got \[\]"),
        ({"tables": "tables.json"}, "expected a quality, or one or two tables, got 'tables.json'"),
        ({"tables": 50.5}, "expected a quality, or one or two tables, got 50.5"),
        ({"tables": [QuantTable(np.full((8, 8), 256))]}, "expected tables with steps up to 255, got 256"),
        ({"subsampling": "4:1:1"}, "subsampling is one of"),
        ({"rounding": "hard"}, 'rounding is "straight-through" or "soft"; got \'hard\''),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        DifferentiableJpeg(**arguments)


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(3, 8, 8),
        torch.zeros(1, 2, 8, 8),
        torch.zeros(1, 3, 8, 8, dtype=torch.uint8),
        torch.zeros(0, 3, 8, 8),
        torch.zeros(1, 3, 0, 8),
    ],
)
def test_wrong_images(images: Tensor) -> None:
    with pytest.raises(InvalidInputError, match=r"expected floats of shape \(N, 3, H, W\) or \(N, 1, H, W\), got"):
        DifferentiableJpeg()(images)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_and_other_types_of_the_network_change_nothing(dtype: torch.dtype) -> None:
    """Samples and steps take more bits than these types have."""
    images, layer = images_of(photograph()), DifferentiableJpeg(20)
    expected = layer(images)
    with torch.autocast("cpu", dtype=dtype):
        cast = layer(images)
    for coded in (cast, layer.to(dtype)(images)):
        assert coded.images.dtype == torch.float32
        assert torch.equal(coded.images, expected.images)
        assert torch.equal(coded.bpp, expected.bpp)
    assert layer.tables() == tuple(annex_k_tables(20))
    assert DifferentiableJpeg(np.int64(20)).tables() == layer.tables()
