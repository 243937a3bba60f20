"""Networks for chrominance that take the luminance which another network has restored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("onnx")

import numpy as np  # noqa: E402
from click.testing import CliRunner  # noqa: E402

from optcodec import InvalidInputError  # noqa: E402
from restore import load_model  # noqa: E402
from restore.channel.degradation import Degradation  # noqa: E402
from restore.cli import main  # noqa: E402
from restore.evaluation.receivers import make_receiver  # noqa: E402
from restore.export.model_files import receptive_radius, write_model  # noqa: E402
from restore.networks import Conditioned, Quantized  # noqa: E402
from restore.networks.chain import after_luminance, restored_luminance  # noqa: E402
from restore.networks.weights import save_network  # noqa: E402
from restore.runtime.context import Context  # noqa: E402
from restore.runtime.decode import receive  # noqa: E402
from restore.runtime.image import decode_image  # noqa: E402
from restore.runtime.infer import restored_image  # noqa: E402
from restore.runtime.models import Model  # noqa: E402
from restore.runtime.settings import Settings  # noqa: E402
from restore.training.recipe import Recipe  # noqa: E402
from tests.receiver_helpers import calling, identity, jpeg, save_model  # noqa: E402
from tests.train_helpers import one_thread, shaken  # noqa: E402

__all__ = ["one_thread"]  # fixture

CHROMA = {"planes": 3, "restored": 2, "tables": 2, "period": 8, "width": 8, "blocks": 1}


def networks() -> tuple[Conditioned, Conditioned]:
    """Networks for luminance and for chrominance after it, whose changes are a few samples."""
    pair = shaken(Conditioned(width=8, blocks=1)), shaken(Conditioned(**CHROMA, after_luminance=True))
    for network in pair:
        network.tail.weight.data *= 0.008
        network.tail.bias.data *= 0.008
    return pair


def test_the_configuration_says_whether_luminance_is_restored_before() -> None:
    luminance, chrominance = networks()
    assert after_luminance(chrominance)
    assert after_luminance(Quantized(chrominance.config))
    assert not after_luminance(luminance)
    assert not after_luminance(Conditioned(**CHROMA))


def test_the_network_for_luminance_gets_its_own_condition() -> None:
    """That of luminance alone, from the condition of two tables; the other planes stay as they are."""
    rng = np.random.default_rng(0)
    statistics = rng.normal(size=(2, 2, 8, 8)).astype(np.float32)
    context = Context(rng.integers(1, 99, (2, 8, 8)), *statistics, (2.0, 1.0), sigma=7.0)
    planes = torch.from_numpy(rng.integers(0, 256, (1, 3, 16, 32)).astype(np.float32) / 255)
    luminance, _ = networks()
    got = restored_luminance(luminance, planes, torch.from_numpy(context.condition(2))[None])
    with torch.no_grad():
        expected = luminance(planes[:, :1], torch.from_numpy(context.condition(1))[None])
    assert torch.equal(got[:, 1:], planes[:, 1:])
    assert torch.equal(got[:, :1] * 255, torch.round(expected.clamp(0, 1) * 255))
    assert not torch.equal(got[:, :1], planes[:, :1])
    assert not got.requires_grad


def seen_by_chrominance(**options: object) -> tuple[np.ndarray, np.ndarray]:
    """The luminance that the network for chrominance is given, and the one that was decoded, of one tile."""
    images: list[np.ndarray] = []

    def remember(image: np.ndarray) -> np.ndarray:
        images.append(image[0])
        return image[:, 1:]

    brighter = calling(lambda image: image + np.float32(10.4 / 255), "image")
    received = receive(jpeg(32, 48, quality=60))
    model = Model("mine", brighter, calling(remember, "image"), 0, **options)  # type: ignore[arg-type]
    restored_image(received, model, Settings(strength=0.5))
    (image,) = images
    return 255 * image[0], received.luminance((0, 32), (0, 48))


def test_chrominance_gets_the_luminance_that_the_network_gave() -> None:
    """In whole samples, before the projection and in full strength, as in the training."""
    seen, decoded = seen_by_chrominance(after_luminance=True)
    np.testing.assert_allclose(seen, np.clip(np.rint(decoded + 10.4), 0, 255), atol=1e-3)
    seen, decoded = seen_by_chrominance()
    np.testing.assert_allclose(seen, decoded, atol=1e-3)


@pytest.mark.parametrize("size", [(32, 80), (72, 88)])
def test_the_files_of_a_model_restore_as_the_networks_do(tmp_path: Path, size: tuple[int, int]) -> None:
    luminance, chrominance = networks()
    write_model(tmp_path / "mine.json", luminance, chrominance)
    model = load_model(tmp_path / "mine.json", threads=1)
    assert model.after_luminance
    assert model.border == receptive_radius(chrominance) == receptive_radius(luminance)
    for name, network in (("y", luminance), ("c", chrominance)):
        save_network(tmp_path / f"{name}.safetensors", network)
    data = jpeg(*size, quality=20, subsampling="4:2:0")
    restored = restored_image(receive(data), model, Settings(project=False))
    by_torch = make_receiver(f"net={tmp_path / 'y.safetensors'}+{tmp_path / 'c.safetensors'}").receive(data)
    difference = np.abs(restored.astype(int) - by_torch)
    assert difference.max() <= 1
    assert np.mean(difference > 0) < 0.01
    assert np.abs(restored.astype(int) - decode_image(receive(data))).mean() > 2
    for tile in (16, 48):
        tiled = restored_image(receive(data), model, Settings(project=False, tile=tile))
        assert np.abs(tiled.astype(int) - restored).max() <= 1  # of floats, in another order for other sizes
        assert np.mean(tiled != restored) < 1e-3


def test_models_share_a_network_for_chrominance(tmp_path: Path) -> None:
    luminance, chrominance = networks()
    write_model(tmp_path / "one.json", luminance, chrominance)
    write_model(tmp_path / "two.json", luminance, chrominance, chrominance_name="one-chroma")
    assert {path.name for path in tmp_path.glob("*.onnx")} == {"one.onnx", "one-chroma.onnx", "two.onnx"}
    received = receive(jpeg(32, 80, quality=20, subsampling="4:2:0"))
    one, two = (
        restored_image(received, load_model(tmp_path / f"{name}.json", threads=1), Settings())
        for name in ("one", "two")
    )
    np.testing.assert_array_equal(one, two)


def test_a_model_takes_the_noise_of_its_recipe(tmp_path: Path) -> None:
    luminance, _ = networks()
    recipe = Recipe({"network": "conditioned"}, degradation=Degradation(sigmas=(0, 3, 12)))
    for name, provenance in (("noisy", {"recipe": recipe.to_json()}), ("mute", {})):
        save_network(tmp_path / f"{name}.safetensors", luminance, **provenance)
        arguments = ["export", str(tmp_path / f"{name}.safetensors"), "-o", str(tmp_path / f"{name}.json")]
        assert CliRunner().invoke(main, arguments, catch_exceptions=False).exit_code == 0
    assert load_model(tmp_path / "noisy.json", threads=1).max_sigma == 12
    assert load_model(tmp_path / "mute.json", threads=1).max_sigma == 0


def test_with_a_smaller_border_the_tiles_would_be_visible(tmp_path: Path) -> None:
    luminance, chrominance = networks()
    write_model(tmp_path / "mine.json", luminance, chrominance)
    index = json.loads((tmp_path / "mine.json").read_text())
    (tmp_path / "mine.json").write_text(json.dumps(index | {"border": 0}))
    model, received = load_model(tmp_path / "mine.json", threads=1), receive(jpeg(72, 88, quality=20))
    tiled, whole = (restored_image(received, model, Settings(tile=tile)) for tile in (16, 128))
    assert np.mean(tiled != whole) > 0.05


def test_models_of_earlier_versions_have_decoded_luminance(tmp_path: Path) -> None:
    path = save_model(tmp_path, identity())
    assert not load_model(path).after_luminance
    index = json.loads(path.read_text())
    path.write_text(json.dumps(index | {"after_luminance": 1}))
    with pytest.raises(InvalidInputError, match=r"mine\.json: after_luminance is true or false, got 1"):
        load_model(path)
