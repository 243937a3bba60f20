"""Networks as readers: their loss, its gradient through preprocessing and views, and files that they read better."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from skimage.data import astronaut

from optcodec import Bpp, InvalidInputError, MaxLoss, MaxLossIncrease, NetworkReader, SameDecision, encode
from optcodec.vision.models import TargetModel, load_model
from optcodec.vision.operating import loss_increase
from tests.accuracy_helpers import classifier
from tests.peers import pillow_pixels

torch = pytest.importorskip("torch")
nn = torch.nn
PHOTO = np.ascontiguousarray(astronaut()[40:112, 150:246])


def network(seed: int = 3) -> Any:
    """A classifier of five classes for pictures of any size that looks at details, with random weights."""
    torch.manual_seed(seed)
    details, last = nn.Conv2d(3, 8, 3, stride=2), nn.Linear(128, 5)
    with torch.no_grad():
        details.weight -= details.weight.mean((1, 2, 3), keepdim=True)
        details.weight *= 12
        last.weight *= 12
    return nn.Sequential(details, nn.GELU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), last).eval()


def decoded(pixels: np.ndarray = PHOTO, quality: int = 20) -> np.ndarray:
    return pillow_pixels(encode(pixels, quality=quality).data)


# ---- Loss and gradient -----------------------------------------------------------------------------------------------


def test_the_loss_is_the_divergence_from_the_output_on_the_original() -> None:
    module, pixels = network(), decoded()
    with torch.no_grad():
        clean, coded = (
            module(torch.from_numpy(np.array(p.transpose(2, 0, 1)))[None] / 255).softmax(1) for p in (PHOTO, pixels)
        )
    expected = float((clean * (clean / coded).log()).sum())
    reading = NetworkReader(module, views=1)(PHOTO)
    assert expected > 1e-4
    assert reading(pixels)[0] == pytest.approx(expected, rel=1e-3)
    assert reading.loss(pixels) == pytest.approx(expected, rel=1e-3)
    assert reading.loss(PHOTO) == pytest.approx(0, abs=1e-6)


def test_the_loss_of_the_decision_grows_by_its_cross_entropy() -> None:
    module, pixels = network(), decoded()
    with torch.no_grad():
        clean, coded = (module(torch.from_numpy(np.array(p.transpose(2, 0, 1)))[None] / 255) for p in (PHOTO, pixels))
    cross_entropy, decision = nn.functional.cross_entropy, clean.argmax(1)
    expected = float(cross_entropy(coded, decision) - cross_entropy(clean, decision))
    reading = NetworkReader(module, views=1)(PHOTO)
    assert abs(expected) > 1e-3
    assert reading.loss_increase(pixels) == pytest.approx(expected, rel=1e-3)
    assert reading.loss_increase(PHOTO) == pytest.approx(0, abs=1e-6)
    views = [NetworkReader(module, views=count)(PHOTO).loss_increase(pixels) for count in range(1, 6)]
    assert views == sorted(views)  # the worst of more and more views
    assert views[0] < views[-1]


def test_the_loss_of_maps_grows_on_average_over_their_positions() -> None:
    torch.manual_seed(0)
    output, reference = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    decision, shape = reference.argmax(1), (2, 20)
    expected = [
        nn.functional.cross_entropy(logits, decision, reduction="none").reshape(shape).mean(1)
        for logits in (output, reference)
    ]
    torch.testing.assert_close(loss_increase(output, reference), expected[0] - expected[1])


def mean_square(output: Any, reference: Any) -> Any:
    return (output - reference).square().mean(1)


class _Double(nn.Module):  # type: ignore[name-defined, misc]
    """A network of double precision, so that differences of losses are exact enough for derivatives."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = network().double()

    def forward(self, batch: Any) -> Any:
        return self.inner(batch)


@pytest.mark.parametrize("views", [1, 2, 3, 5])
@pytest.mark.parametrize("grey", [False, True])
def test_the_gradient_is_that_of_differences(views: int, grey: bool) -> None:
    """Along a direction of whole steps of the pixels; the formula leaves out what is of the fifth order."""
    original = PHOTO[..., 1] if grey else PHOTO
    reading = NetworkReader(_Double(), loss=mean_square, views=views)(original)
    pixels = np.clip(decoded(original), 2, 253)
    loss, gradient = reading(pixels)
    assert gradient.shape == pixels.shape
    assert loss == pytest.approx(reading.loss(pixels))
    direction = np.sign(gradient) * np.random.default_rng(0).integers(0, 2, pixels.shape)
    near, far = (
        reading.loss((pixels + step * direction).astype(np.uint8))
        - reading.loss((pixels - step * direction).astype(np.uint8))
        for step in (1, 2)
    )
    assert float((gradient * direction).sum()) == pytest.approx((8 * near - far) / 12, rel=1e-3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch can use")
def test_a_gpu_reads_what_the_processor_reads() -> None:
    here, there = (NetworkReader(_Double().to(device))(PHOTO) for device in ("cpu", "cuda"))
    pixels = decoded()
    loss, gradient = here(pixels)
    assert there(pixels)[0] == pytest.approx(loss)
    np.testing.assert_allclose(there(pixels)[1], gradient, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(there.sensitivity(), here.sensitivity(), rtol=1e-5, atol=1e-9)
    assert there.agrees(pixels) == here.agrees(pixels)


def test_preprocessing_is_part_of_what_is_differentiated() -> None:
    """What is cut off has no gradient; a photograph of another size than the network's is read as a whole otherwise."""

    def resample(batch: Any) -> Any:
        return nn.functional.interpolate(batch[..., 10:-10, 16:-16], size=(40, 48), mode="bilinear", antialias=True)

    model = TargetModel("cutting", network(), lambda image: pytest.fail("not for the loop"), resample=resample)
    _, gradient = NetworkReader(model, views=1)(PHOTO)(decoded())
    assert not gradient[:10].any()
    assert not gradient[-10:].any()
    assert not gradient[:, :16].any()
    assert (np.abs(gradient[12:-12, 18:-18]).max(axis=2) > 0).mean() > 0.9


def test_torchvision_networks_bring_their_preprocessing(tmp_path: Any) -> None:
    models = pytest.importorskip("torchvision").models
    torch.manual_seed(1)
    torch.save(models.squeezenet1_1(weights=None).state_dict(), tmp_path / "net.pth")
    target = load_model("squeezenet1_1", weights=tmp_path / "net.pth")
    assert target.resample is not None
    batch = target.resample(torch.from_numpy(np.array(PHOTO.transpose(2, 0, 1)))[None] / 255)
    from PIL import Image

    with_pillow = target.preprocess(Image.fromarray(PHOTO)) / 255
    assert batch.shape == (1, 3, 224, 224)
    assert float((batch[0] - with_pillow).abs().mean()) < 0.004


# ---- Files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grey", [False, True])
def test_the_network_reads_its_file_better_than_others_of_that_size(grey: bool) -> None:
    original = np.ascontiguousarray(PHOTO[..., 1]) if grey else PHOTO
    reader = NetworkReader(network(), views=2)
    options: dict[str, Any] = {"target": Bpp(2.0), "tune": "ycbcr"}
    trellis, loop = encode(original, **options), encode(original, reader=reader, rounds=8, **options)
    reading = reader(original)
    losses = [reading.loss(pillow_pixels(file.data)) for file in (trellis, loop)]
    assert loop.nbytes <= 2.0 * original.shape[0] * original.shape[1] / 8
    assert losses[1] < 0.3 * losses[0]
    assert encode(original, reader=reader, rounds=8, **options).data == loop.data


def test_targets_in_the_terms_of_the_network() -> None:
    reader = NetworkReader(network(), views=1)
    reading = reader(PHOTO)
    kept = encode(PHOTO, target=MaxLoss(0.002), reader=reader, rounds=3)
    assert 0.0005 < reading.loss(pillow_pixels(kept.data)) <= 0.002
    sure = encode(PHOTO, target=MaxLossIncrease(0.001), reader=reader, rounds=3)
    assert reading.loss_increase(pillow_pixels(sure.data)) <= 0.001
    looser = encode(PHOTO, target=MaxLossIncrease(0.05), reader=reader, rounds=3)
    assert reading.loss_increase(pillow_pixels(looser.data)) <= 0.05
    assert looser.nbytes < sure.nbytes
    same = encode(PHOTO, target=SameDecision(), reader=reader, rounds=2)
    assert reading.agrees(pillow_pixels(same.data))
    assert not reading.agrees(255 - PHOTO) or same.nbytes < kept.nbytes


def test_the_network_of_the_user_stays_as_it_is() -> None:
    module = classifier().module.train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    NetworkReader(module)(PHOTO)(decoded())
    assert module.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in module.parameters())


# ---- Bad input -------------------------------------------------------------------------------------------------------


class _Broken(nn.Module):  # type: ignore[name-defined, misc]
    def forward(self, batch: Any) -> Any:
        return torch.full((len(batch), 5), torch.nan)


class _Flat(nn.Module):  # type: ignore[name-defined, misc]
    def forward(self, batch: Any) -> Any:
        return batch.mean((1, 2, 3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": 3}, "a network is a torch module or a TargetModel, got int"),
        ({"model": network(), "views": 0}, r"views is a whole number in 1\.\.5, got 0"),
        ({"model": network(), "views": 6}, r"views is a whole number in 1\.\.5, got 6"),
        ({"model": network(), "loss": 3}, "a loss is a function of two outputs, got 3"),
        ({"model": _Broken()}, "output of the network on the original is not finite; expected finite logits"),
        ({"model": _Flat()}, r"expected logits of shape \(N, classes\), got \(5,\): name another"),
        ({"model": nn.Conv2d(3, 4, 99)}, "the network does not take pictures of 96x72 pixels: "),
        ({"model": network(), "loss": lambda a, b: a.sum()}, r"expected a loss for each of 5 views, got Tensor"),
        ({"model": network(), "loss": lambda a, b: a.sum(1) * torch.nan}, "losses of a network are finite, got "),
        ({"model": network(), "loss": lambda a, b: b.sum(1)}, "a loss that torch can differentiate by pixels, got a"),
    ],
)
def test_wrong_networks_and_losses_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        NetworkReader(**arguments)(PHOTO)(decoded())


def test_preprocessing_that_torch_cannot_differentiate_is_refused() -> None:
    reader = NetworkReader(classifier(), views=1)
    with pytest.raises(InvalidInputError, match="small changes pictures of 96x72 pixels before it reads them, and"):
        reader(PHOTO)
    small = np.ascontiguousarray(PHOTO[:64, :64])
    assert reader(small).loss(small) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_all_views_are_taken_by_networks_of_fewer_bits(dtype: Any) -> None:
    losses = [NetworkReader(network().to(kind))(PHOTO).loss(decoded()) for kind in (dtype, torch.float32)]
    assert losses[0] == pytest.approx(losses[1], rel=0.3)
