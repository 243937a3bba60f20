"""Distillation: fine-tuning of an 8-bit network to the output of the network with 32-bit floats."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from restore.compress.imitate import imitate  # noqa: E402
from restore.compress.quantize import quantize  # noqa: E402
from restore.networks import Conditioned  # noqa: E402
from tests.train_helpers import conditions  # noqa: E402


def batch(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 256, (4, 1, 16, 16), generator=rng) / 255
    return image, conditions(torch.full((4, 1, 8, 8), 30.0))


@pytest.fixture(scope="module")
def network() -> Conditioned:
    torch.manual_seed(0)
    network = Conditioned(width=8, blocks=2)
    torch.nn.init.normal_(network.tail.weight, 0, 0.2)
    return network.eval()


def test_the_error_falls_also_on_other_images(network: Conditioned) -> None:
    rough = quantize(network, [batch(seed) for seed in range(4)])
    before = {name: tensor.clone() for name, tensor in rough.state_dict().items()}
    told: list[tuple[int, float]] = []
    fine = imitate(
        rough, network, (batch(seed) for seed in range(10, 999)), steps=60, progress=lambda *now: told.append(now)
    )
    assert [step for step, _ in told] == list(range(1, 61))
    assert sum(error for _, error in told[-10:]) < 0.9 * sum(error for _, error in told[:10])
    assert not fine.training
    assert {name: zero for name, (_, zero) in fine.ranges.items()} == {
        name: zero for name, (_, zero) in rough.ranges.items()
    }
    changed = {name for name in fine.names if fine.ranges[name][0] != rough.ranges[name][0]}
    assert changed == set(fine.names) - {"maps", "tail"}
    assert all(torch.equal(tensor, before[name]) for name, tensor in rough.state_dict().items())
    image, condition = batch(1000)
    with torch.no_grad():
        errors = [
            (candidate(image, condition) - network(image, condition)).square().mean().item()
            for candidate in (rough, fine)
        ]
    assert errors[1] < 0.85 * errors[0]


def test_the_reported_difference_is_in_8_bit_units(network: Conditioned) -> None:
    rough = quantize(network, [batch(0)])
    told: list[float] = []
    imitate(rough, network, [batch(1)], steps=1, progress=lambda step, difference: told.append(difference))
    image, condition = batch(1)
    with torch.no_grad():
        difference = 255 * (rough(image, condition) - network(image, condition))
    assert told == [pytest.approx(difference.square().mean().sqrt().item(), rel=1e-4)]
