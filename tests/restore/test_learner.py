"""Steps of the optimizers: Muon turns the gradient of filters into a step of equal size in all directions."""

import math

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from restore.training.learner import Learner  # noqa: E402

RATE = 1e-3
WIDE = "2.weight"  # the only convolution with many filters and many inputs


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.Conv2d(32, 2, 3))


def directions() -> tuple[Tensor, Tensor, Tensor]:
    """A gradient of the wide filters by its singular values, of 1 to 4."""
    rng = torch.Generator().manual_seed(1)
    left = torch.linalg.qr(torch.randn(32, 32, generator=rng)).Q
    right = torch.linalg.qr(torch.randn(144, 32, generator=rng)).Q
    return left, torch.linspace(1, 4, 32), right


def changes(module: nn.Sequential, optimizer: str, size: float = 1.0) -> dict[str, Tensor]:
    """How much each parameter changes by one step, if the gradient of all others has the same size everywhere."""
    learner = Learner(module, RATE, optimizer=optimizer)
    before, (left, values, right) = learner.weights(), directions()
    gradient = ((left * values) @ right.T).view_as(module[2].weight)
    others = sum(parameter.sum() for parameter in module.parameters() if parameter is not module[2].weight)
    learner.descend(size * ((module[2].weight * gradient).sum() + others), RATE)
    return {name: tensor - before[name] for name, tensor in learner.weights().items()}


def test_steps_of_muon_are_of_equal_size_in_all_directions() -> None:
    """The step goes against the directions of the gradient, without its singular values; its size is 3 x Adam's."""
    step = changes(network(), "muon")[WIDE].flatten(1)
    left, _, right = directions()
    along = torch.diagonal(left.T @ step @ right) / (-3 * RATE * 0.2 * math.sqrt(144))
    assert along.min() > 0.6
    assert along.max() < 1.3
    aside = step - (left * torch.diagonal(left.T @ step @ right)) @ right.T
    assert aside.norm() < 0.05 * step.norm()


def test_the_size_of_the_loss_does_not_matter() -> None:
    large, small = changes(network(), "muon"), changes(network(), "muon", 0.01)
    assert (large[WIDE] - small[WIDE]).norm() < 0.05 * large[WIDE].norm()  # Muon calculates with 16-bit floats


def test_all_but_wide_convolutions_take_steps_of_adam() -> None:
    """Each of their parameters changes by the rate in the first step."""
    for optimizer in ("adam", "muon"):
        for name, change in changes(network(), optimizer).items():
            if (optimizer, name) != ("muon", WIDE):
                torch.testing.assert_close(change.abs(), torch.full_like(change, RATE), rtol=1e-2, atol=0)


def test_the_layout_of_the_memory_does_not_matter() -> None:
    plain, last = changes(network(), "muon"), changes(network().to(memory_format=torch.channels_last), "muon")
    for name, change in plain.items():
        torch.testing.assert_close(change, last[name], rtol=0.02, atol=2e-5)


def test_a_reset_learner_begins_anew() -> None:
    module = network()
    learner = Learner(module, RATE, optimizer="muon")
    before = learner.weights()
    images = torch.rand(4, 1, 16, 16)
    for _ in range(3):
        learner.descend(module(images).square().mean(), RATE)
    assert any(name.startswith("muon.") for name in learner.state())
    learner.reset(before)
    assert not any(name.startswith(("adam.", "muon.")) for name in learner.state())
    learner.descend(module(images).square().mean(), RATE)
    assert not torch.equal(module[2].weight, before[WIDE])
