"""Distillation: fine-tunes an 8-bit network to reproduce the output of the network with 32-bit floats.

The error by rounding to 8 bits is far smaller than the restoration error of either network. Compared with the output of
the float network, it is the only error, so that some hundred steps are enough and no clean images are needed
(distillation: Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015). The quantization steps
of the activations are trained together with the weights (Esser et al., "Learned step size quantization", ICLR 2020):
steps that minimize the error of each activation by itself are too large for the sums of shortcuts, whose rare large
values may well be clipped.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from restore.networks import Conditioned
from restore.networks.conditioned import CHANGE_UNIT
from restore.networks.operations import MAPS, walk
from restore.networks.quantized import FakeQuantized, Quantized

__all__ = ["IMITATION_RATE", "imitate"]

IMITATION_RATE = 1e-4
_STEP_RATE_RATIO = 30  # learning rate of the logarithms of the steps over that of the weights
Progress = Callable[[int, float], None]


def imitate(
    quantized: Quantized,
    network: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    steps: int,
    rate: float = IMITATION_RATE,
    progress: Progress = lambda step, error: None,
) -> Quantized:
    """Fine-tune a quantized network to the output of the network that it was made from.

    Parameters
    ----------
    quantized : Quantized
        From `restore.compress.quantize`; it is not changed.
    network : Module
        The network with 32-bit floats.
    batches : iterable of (Tensor, Tensor)
        Images (N, planes, H, W), 0..1, and conditions (N, numbers); one batch for each step.
    steps : int
        Number of steps of Adam; the learning rates fall to zero along half a cosine.
    rate : float
        Learning rate of the weights at the beginning.
    progress : callable, optional
        Called after each step with the number of steps done and the root mean square difference of the outputs, in
        units of 8-bit samples (0..255).

    Returns
    -------
    Quantized
        A new network, in evaluation mode. The zero levels, and the steps of maps and output, are unchanged.
    """
    network = copy.deepcopy(network).eval()
    trained = copy.deepcopy(quantized).train()
    names = [name for name in trained.names if name not in (MAPS, trained.names[-1])]
    factors = {name: nn.Parameter(torch.zeros(())) for name in names}  # logarithms
    rates = (rate, rate * _STEP_RATE_RATIO)
    optimizer = torch.optim.Adam([{"params": list(trained.parameters())}, {"params": list(factors.values())}])
    for step, (image, condition) in zip(range(steps), batches, strict=False):
        for group, initial_rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = initial_rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        with torch.no_grad():
            target = network(image, condition)
        difference = walk(trained.inner, _LearnedSteps(trained, image, condition, factors)).tensor - target
        loss = (difference * _weight(network, condition)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        progress(step + 1, 255 * difference.detach().square().mean().item() ** 0.5)
    for name in names:
        trained.scales[trained.names.index(name)] *= factors[name].detach().exp()
    return trained.eval()


def _weight(network: nn.Module, condition: Tensor) -> Tensor:
    """Weight of differences: they count relative to the scale of the network's change, so that fine files count too."""
    if not isinstance(network, Conditioned):
        return torch.ones(())
    scale = CHANGE_UNIT * network.expected_error(condition)
    return torch.where(scale > 0, 1 / scale.clamp(min=CHANGE_UNIT), 0)


class _LearnedSteps(FakeQuantized):
    """Fake quantization with trained steps: the step of a value is multiplied by the exponential of its factor."""

    def __init__(self, network: Quantized, image: Tensor, condition: Tensor, factors: dict[str, nn.Parameter]) -> None:
        super().__init__(network, image, condition)
        self.learned = set(factors)
        for name, factor in factors.items():
            step, zero = self.ranges[name]
            self.ranges[name] = step * factor.exp(), zero

    def process_value(self, name: str, value: Tensor) -> Tensor:
        if name not in self.learned:
            return super().process_value(name, value)
        step, zero = self.ranges[name]
        levels = value / step
        rounded = levels + (levels.round() - levels).detach()
        return (torch.clamp(rounded + zero, 0, 255) - zero) * step
