"""`grown`: a larger network restores exactly as the smaller one, and can learn with all that it has."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from restore.networks import Conditioned, DnCNN  # noqa: E402
from restore.networks.grow import grown  # noqa: E402
from tests.restore.test_conditioned import CHROMA, image, made, steps  # noqa: E402
from tests.train_helpers import conditions, one_thread  # noqa: E402

__all__ = ["one_thread"]  # fixture


@pytest.mark.parametrize("config", [{}, CHROMA])
@pytest.mark.parametrize("size", [{"width": 12, "blocks": 1}, {"width": 8, "blocks": 3}, {"width": 12, "blocks": 2}])
def test_a_larger_network_restores_as_the_smaller_one(size: dict[str, int], config: dict[str, object]) -> None:
    small = made(**config)
    large = grown(small, {"network": "conditioned", **config, **size})
    assert {name: large.config[name] for name in size} == size  # type: ignore[index]
    picture, condition = image(small), conditions(steps(30.0, small.tables)[None])
    with torch.no_grad():
        assert (small(picture, condition) - picture[:, -small.restored :]).abs().max() > 0.01
        torch.testing.assert_close(large(picture, condition), small(picture, condition), rtol=0, atol=1e-6)


def test_all_new_weights_learn() -> None:
    """The first step gives new channels a weight; then each of them has a gradient."""
    large = grown(made(), {"network": "conditioned", "width": 12, "blocks": 2})
    picture, condition = image(large), conditions(steps(30.0)[None])  # type: ignore[arg-type]
    optimizer = torch.optim.Adam(large.parameters(), lr=1e-3)
    for _ in range(3):
        optimizer.zero_grad()
        (large(picture, condition) - 0.5).square().mean().backward()
        optimizer.step()
    convolutions = [layer for layer in large.modules() if isinstance(layer, torch.nn.Conv2d)]
    assert len(convolutions) == 6
    for layer in convolutions:
        assert layer.weight.grad is not None
        assert (layer.weight.grad.abs().amax((2, 3)) > 0).all()


@pytest.mark.parametrize(
    "config",
    [
        {"network": "conditioned", "width": 8, "blocks": 1},
        {"network": "conditioned", "width": 4, "blocks": 3},
        {"network": "conditioned", "width": 16, "blocks": 1, "maps": 4},
        {"network": "dncnn", "depth": 3},
    ],
    ids=["equal", "narrower", "another", "another class"],
)
def test_other_networks_stay_as_they_are(config: dict[str, object]) -> None:
    network = made()
    assert grown(network, config) is network


def test_networks_of_another_class_stay_as_they_are() -> None:
    network = DnCNN(depth=3)
    assert grown(network, {"network": "conditioned"}) is network


def test_caution_is_left_behind() -> None:
    careful = Conditioned(width=8, blocks=1, caution=4)
    large = grown(careful, {"network": "conditioned", "width": 12, "blocks": 1})
    assert isinstance(large, Conditioned)
    assert large.caution is None
