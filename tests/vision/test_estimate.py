"""Sensitivity estimates: squared finite differences, standard errors, operating points, bfloat16, and bad input."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from optcodec.errors import InvalidInputError
from optcodec.vision.estimate import cross_entropy, estimate_sensitivity
from optcodec.vision.operating import compressed

torch = pytest.importorskip("torch")
FACTORS = {"4:4:4": (1, 1), "4:2:2": (2, 1), "4:2:0": (2, 2), "4:4:0": (1, 2)}


def smooth_network(seed: int = 0, dtype: Any = torch.float64) -> Any:
    """A small network with smooth functions that depends differently on the three colours."""
    nn = torch.nn
    torch.manual_seed(seed)
    layers = nn.Sequential(
        nn.Conv2d(3, 6, 5, padding=2), nn.Tanh(), nn.Conv2d(6, 8, 3, stride=2), nn.Softplus(), nn.AdaptiveAvgPool2d(2),
        nn.Flatten(), nn.Linear(32, 5),
    )  # fmt: skip
    return layers.to(dtype)


def random_images(count: int, height: int = 16, width: int = 16, seed: int = 1) -> Any:
    return torch.rand(count, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def coefficient_images(height: int, width: int, component: int, h: int, v: int) -> Any:
    """RGB (0..1) that one unit of each coefficient of a component adds to a picture, shape (blocks * 64, 3, H, W).

    Computed by T.81, A.3.3 and T.871, section 7, one coefficient after the other.
    """
    rows, columns = -(-height // v), -(-width // h)
    block_rows, block_columns = -(-rows // 8), -(-columns // 8)
    colour = [(1, 1, 1), (0, -0.344136286201, 1.772), (1.402, -0.714136286201, 0)][component]
    pictures = []
    for r in range(block_rows):
        for c in range(block_columns):
            for frequency in np.ndindex(8, 8):
                scale = 0.25 * np.prod([1 if k else np.sqrt(0.5) for k in frequency])
                y, x = (np.cos((2 * np.arange(8) + 1) * k * np.pi / 16) for k in frequency)
                plane = np.zeros((8 * block_rows, 8 * block_columns))
                plane[8 * r : 8 * r + 8, 8 * c : 8 * c + 8] = scale * np.outer(y, x)
                samples = plane[:rows, :columns].repeat(v, 0).repeat(h, 1)[:height, :width]
                pictures.append([samples * part / 255 for part in colour])
    return torch.tensor(np.array(pictures))


@pytest.mark.parametrize(
    ("subsampling", "height", "width"),
    [("4:4:4", 16, 16), ("4:4:4", 11, 18), ("4:2:0", 32, 16), ("4:2:0", 19, 21), ("4:2:2", 9, 19), ("4:4:0", 19, 9)],
)
def test_weights_are_squared_finite_differences(subsampling: str, height: int, width: int) -> None:
    network = smooth_network()
    image, label = random_images(1, height, width), torch.tensor([3])
    profile = estimate_sensitivity(network, [(image, label)], subsampling=subsampling)
    for component in range(3):
        h, v = (1, 1) if component == 0 else FACTORS[subsampling]
        step = 0.01 * coefficient_images(height, width, component, h, v)
        with torch.no_grad():
            up, down = (
                torch.nn.functional.cross_entropy(
                    network(image + sign * step), label.expand(len(step)), reduction="none"
                )
                for sign in (1, -1)
            )
        differences = ((up - down) / 0.02).reshape(-1, 8, 8)
        expected = differences.square().sum(0).numpy()
        assert expected.min() < expected.max() / 3  # the map is not constant, which would hide exchanged frequencies
        assert_allclose(profile.weights[component], expected, rtol=1e-6, atol=1e-9 * expected.max())


class Coloured(torch.nn.Module):
    """A network whose loss is a fixed pattern times a mix of the image's colours."""

    def __init__(self, red: float, green: float, blue: float) -> None:
        super().__init__()
        self.mix = torch.tensor([red, green, blue]).double()[:, None, None]
        self.pattern = random_images(1, 16, 24, seed=5)[0, 0]

    def forward(self, images: Any) -> Any:
        return (images * self.mix * self.pattern).sum((1, 2, 3))


def output_itself(output: Any, labels: Any) -> Any:
    return output


@pytest.mark.parametrize(
    ("colour", "cb", "cr"),
    [
        ((0, 0, 1), 1.772, 0),  # blue does not depend on Cr, red does not depend on Cb
        ((1, 0, 0), 0, 1.402),
        ((0, 1, 0), 0.344136286, 0.714136286),
        ((1, 1, 1), 1.772 - 0.344136286, 1.402 - 0.714136286),
        ((0.2, 0.3, 2), 2 * 1.772 - 0.3 * 0.344136286, 0.2 * 1.402 - 0.3 * 0.714136286),
    ],
)
def test_cb_and_cr_have_separate_gradients(colour: tuple[float, ...], cb: float, cr: float) -> None:
    images = random_images(2, 16, 24)
    y, *chroma = estimate_sensitivity(Coloured(*colour), [images], loss=output_itself).weights
    for weights, factor in zip(chroma, (cb, cr), strict=True):
        assert_allclose(weights, y * (factor / sum(colour)) ** 2, rtol=1e-5, atol=1e-12 * y.max())


def test_a_chroma_sample_of_four_pixels_collects_their_gradients() -> None:
    flat = Coloured(0, 0, 1)
    flat.pattern = torch.ones(16, 24, dtype=torch.float64)
    images = random_images(1, 16, 24)
    full, quarter = (
        estimate_sensitivity(flat, [images], loss=output_itself, subsampling=name).weights
        for name in ("4:4:4", "4:2:0")
    )
    # Only DC: gradient 8 times that of a sample. 6 blocks of gradient 1 against 2 of gradient 4, of which one is half
    # outside the picture: (8 * 4)^2 in one block, DC and odd horizontal frequencies in the other.
    assert_allclose(full[0], quarter[0], rtol=1e-6)
    assert_allclose(full[1][0, 0], 6 * (8 * 1.772 / 255) ** 2, rtol=1e-6)
    assert_allclose(quarter[1][0, 0], (8 * 4 * 1.772 / 255) ** 2 * (1 + 0.25), rtol=1e-6)
    assert_allclose(quarter[1].sum(), (4 * 1.772 / 255) ** 2 * (64 + 32), rtol=1e-6)  # Parseval: samples inside


def test_images_do_not_interact_and_batches_do_not_matter() -> None:
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(3).double(), smooth_network())
    network[0].running_var[:] = 0.3
    network.train()
    network[1].eval()
    images, labels = random_images(7), torch.arange(7) % 5
    one, alone = (
        estimate_sensitivity(network, list(zip(images.split(size), labels.split(size), strict=True))) for size in (7, 1)
    )
    assert_allclose(one.weights, alone.weights, rtol=1e-9)
    assert_allclose(one.provenance.standard_errors, alone.provenance.standard_errors, rtol=1e-7)
    assert network[0].training
    assert not network[1].training
    assert torch.equal(network[0].running_var, torch.full((3,), 0.3, dtype=torch.float64))
    assert all(parameter.grad is None for parameter in network.parameters())


def test_mean_and_standard_error_over_images() -> None:
    network, images, labels = smooth_network(), random_images(6), torch.arange(6) % 5
    weights = np.array(
        [estimate_sensitivity(network, [(images[i : i + 1], labels[i : i + 1])]).weights for i in range(6)]
    )
    batches = [(images[a:b], labels[a:b]) for a, b in ((0, 1), (1, 4), (4, 6))]
    profile = estimate_sensitivity(network, batches)
    assert_allclose(profile.weights, weights.mean(0), rtol=1e-9)
    assert_allclose(profile.provenance.standard_errors, weights.std(0, ddof=1) / np.sqrt(6), rtol=1e-7)
    assert (profile.provenance.images, profile.provenance.image_size) == (6, "16x16")
    assert estimate_sensitivity(network, batches[:1]).provenance.standard_errors is None


def test_bytes_are_floats_times_255() -> None:
    network = smooth_network()
    pixels = torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    as_bytes, as_floats = (
        estimate_sensitivity(network, [(images, None)]) for images in (pixels, pixels.double() / 255)
    )
    assert_allclose(as_bytes.weights, as_floats.weights, rtol=1e-5)
    assert np.array_equal(estimate_sensitivity(network, [pixels.numpy()]).weights, as_bytes.weights)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch can use")
def test_a_gpu_gives_what_the_processor_gives() -> None:
    images, labels = random_images(8), torch.arange(8) % 5
    here, there = (
        estimate_sensitivity(smooth_network().to(device), [(images, labels)], subsampling="4:2:0").weights
        for device in ("cpu", "cuda")
    )
    assert_allclose(there, here, rtol=1e-9)


def test_without_labels_the_prediction_counts() -> None:
    network, images = smooth_network(), random_images(4)
    predicted = network(images).argmax(1)
    unlabelled = estimate_sensitivity(network, [images]).weights
    assert np.array_equal(unlabelled, estimate_sensitivity(network, [(images, predicted)]).weights)
    other = estimate_sensitivity(network, [(images, (predicted + 1) % 5)]).weights
    assert np.abs(unlabelled / other - 1).max() > 0.1


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_at_an_operating_point_gradients_are_those_on_the_compressed_image(subsampling: str) -> None:
    """Against a file that Pillow writes; the divergence is from the output on the clean image."""
    network, clean = smooth_network(), (random_images(1, 24, 32) * 255).round() / 255
    pixels = (clean[0] * 255).byte().permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=30, subsampling=subsampling)
    decoded = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)[None] / 255

    def loss(output: Any, labels: Any) -> Any:
        expected = network(clean).softmax(1)
        return (expected * (expected.log() - output.log_softmax(1))).sum(1)

    by_hand = estimate_sensitivity(network, [decoded.double()], loss=loss, subsampling=subsampling)
    profile = estimate_sensitivity(network, [clean], subsampling=subsampling, quality=30)
    assert profile.provenance.quality == 30
    assert profile.provenance.loss == "divergence"
    # our DCT and Pillow's round a few coefficients differently
    assert_allclose(profile.weights, by_hand.weights, rtol=0.05, atol=1e-3 * by_hand.weights.max())
    other = estimate_sensitivity(network, [clean], subsampling=subsampling, quality=90)
    assert other.weights.sum() < 0.5 * by_hand.weights.sum()  # a file of higher quality has changed the output less


def test_at_an_operating_point_another_loss_has_its_labels() -> None:
    network, image = smooth_network(), random_images(1, 16, 16)
    profile = estimate_sensitivity(network, [(image, torch.tensor([2]))], loss=cross_entropy, quality=50)
    seen = compressed(image, "4:4:4", 50)
    expected = estimate_sensitivity(network, [(seen, torch.tensor([2]))])
    assert_allclose(profile.weights, expected.weights, rtol=1e-9)


def test_stops_once_every_weight_is_known_well_enough() -> None:
    network, images = smooth_network(), random_images(200)
    calls: list[tuple[int, float]] = []

    def progress(done: int, error: float) -> None:
        calls.append((done, error))

    batches = images.split(10)
    everything = estimate_sensitivity(network, batches, progress=progress)
    assert [done for done, _ in calls] == list(range(10, 201, 10))
    relative = everything.provenance.standard_errors / everything.weights
    assert_allclose(calls[-1][1], relative.max(), rtol=1e-6)
    limit = calls[9][1]
    first = next(done for done, error in calls if error <= limit and done >= 32)
    assert estimate_sensitivity(network, batches, until_stderr=limit).provenance.images == first < 200
    # At least 32 images are used, even if the first ones hardly differ.
    assert estimate_sensitivity(network, batches, until_stderr=100).provenance.images == 40


def test_bfloat16_is_taken_where_it_changes_less_than_chance() -> None:
    network = smooth_network(dtype=torch.float32)
    brightness = torch.linspace(0.05, 1, 80)[torch.randperm(80, generator=torch.Generator().manual_seed(0))]
    images = random_images(80).float() * brightness[:, None, None, None]
    labels = torch.arange(80) % 5
    batches = list(zip(images.split(20), labels.split(20), strict=True))
    exact, reduced = (estimate_sensitivity(network, batches, dtype=name) for name in ("float32", "bfloat16"))
    change = np.abs(reduced.weights - exact.weights)
    assert change.max() > 0
    assert (change < exact.provenance.standard_errors).all()


@pytest.mark.parametrize("count", [4, 48])
def test_bfloat16_is_refused_where_it_changes_more_than_chance(count: int) -> None:
    network = smooth_network(dtype=torch.float32)
    images = random_images(1).float().expand(count, 3, 16, 16)  # all images are equal, so that chance plays no part
    with pytest.raises(InvalidInputError, match=r"bfloat16 changes the weight .* by .* more than its standard error"):
        estimate_sensitivity(network, images.split(4), dtype="bfloat16")


def constant_loss(output: Any, labels: Any) -> Any:
    return torch.zeros(len(output))


def weights_only_loss(output: Any, labels: Any) -> Any:
    return output.detach().sum(1)


def nan_loss(output: Any, labels: Any) -> Any:
    return output.sum(1) * float("nan")


def zero_loss(output: Any, labels: Any) -> Any:
    return output.sum(1) * 0


@pytest.mark.parametrize(
    ("batch", "options", "message"),
    [
        (random_images(2)[0], {}, r"shape \(N, 3, H, W\), got \(3, 16, 16\)"),
        (random_images(2)[:, :1], {}, r"got \(2, 1, 16, 16\)"),
        (random_images(2) * 255, {}, r"floats? .*in 0..1, got values from 0.* to 25"),
        (random_images(2) * float("nan"), {}, "got values from nan"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.int64), {}, r"got torch\.int64"),
        ((random_images(2), torch.tensor([1, 5])), {}, r"expected 2 labels in 0..4, got \[1, 5\]"),
        ((random_images(2), torch.tensor([1])), {}, r"expected 2 labels in 0..4, got \[1\]"),
        ((random_images(2), [0.5, 1.0]), {}, r"got \[0.5, 1.0\]"),
        (random_images(2), {"loss": lambda output, labels: output}, r"for each of 2 images, got shape \(2, 5\)"),
        (random_images(2), {"loss": lambda output, labels: output.mean()}, r"got shape \(\)"),
        (random_images(2), {"loss": constant_loss}, "got a detached one"),
        (random_images(2), {"loss": weights_only_loss}, "got a detached one"),
        (random_images(2), {"loss": nan_loss}, r"losses are finite, got \[nan, nan\]"),
        (random_images(2), {"loss": zero_loss}, "does not depend on their pixels"),
        (random_images(2), {"subsampling": "4:1:1"}, "subsampling is one of .* got '4:1:1'"),
        (random_images(2), {"until_stderr": 0}, "until_stderr is a relative standard error above 0, got 0"),
        (random_images(2), {"dtype": "float16"}, "dtype is float32 or bfloat16, got 'float16'"),
    ],
)
def test_bad_input_is_refused(batch: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        estimate_sensitivity(smooth_network(), [batch], **options)


def test_no_batches_and_no_logits() -> None:
    with pytest.raises(InvalidInputError, match="at least one batch"):
        estimate_sensitivity(smooth_network(), [])
    with pytest.raises(InvalidInputError, match=r"logits of shape \(N, classes\), got .*2.*: name another loss"):
        estimate_sensitivity(Coloured(1, 1, 1), [random_images(2, 16, 24)])


@pytest.mark.parametrize("quality", [None, 40])
def test_modes_of_torch_around_it_change_nothing(quality: int | None) -> None:
    network, images = smooth_network(dtype=torch.float32), [random_images(3).float(), random_images(3, seed=4).float()]
    expected = estimate_sensitivity(network, images, quality=quality).weights
    with torch.no_grad():
        assert_allclose(estimate_sensitivity(network, images, quality=quality).weights, expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_allclose(estimate_sensitivity(network, images, quality=quality).weights, expected)
