"""Fine-tuning of a network with 8 bits: it learns to give what the network with 32-bit floats gives.

What rounding adds to an image is far less than what neither network restores. Against the float network that little is
all there is to see, so that some hundred steps are enough, and no clean image is needed (distillation: Hinton, Vinyals
and Dean, "Distilling the knowledge in a neural network", 2015). The steps of the values are learned with the weights
(Esser et al., "Learned step size quantization", ICLR 2020): those with the least error in each value by itself are too
large for the sums of shortcuts, whose rare large values may well be clipped.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from restore.networks.operations import MAPS, walk
from restore.networks.quantized import FakeQuantized, Quantized

__all__ = ["IMITATION_RATE", "imitate"]

IMITATION_RATE = 1e-4
_STEPS_FASTER = 30  # learning rate of the steps' logarithms over that of the weights
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
    """Bring the output of a quantized network nearer to that of the network that it was made from.

    Parameters
    ----------
    quantized : Quantized
        From `restore.compress.quantize`; it is left as it is.
    network : Module
        The one with 32-bit floats.
    batches : iterable of (Tensor, Tensor)
        Images (N, planes, H, W) 0..1 and tables (N, tables, 8, 8), one batch for each step.
    steps : int
        Steps of Adam; the rates fall to zero along half a cosine.
    rate : float
        Learning rate of the weights at the beginning.
    progress : callable, optional
        Takes the number of steps done, and the root mean square difference of the outputs in samples (0..255) then.

    Returns
    -------
    Quantized
        A new one, in evaluation mode. Zero levels, and the steps of maps and output, are those of before.
    """
    network = copy.deepcopy(network).eval()
    learning = copy.deepcopy(quantized).train()
    names = [name for name in learning.names if name not in (MAPS, learning.names[-1])]
    factors = {name: nn.Parameter(torch.zeros(())) for name in names}  # logarithms
    rates = (rate, rate * _STEPS_FASTER)
    optimizer = torch.optim.Adam([{"params": list(learning.parameters())}, {"params": list(factors.values())}])
    for step, (image, table) in zip(range(steps), batches, strict=False):
        for group, first in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = first * 0.5 * (1 + math.cos(math.pi * step / steps))
        with torch.no_grad():
            wanted = network(image, table)
        loss = (walk(learning.inner, _Stepping(learning, image, table, factors)).tensor - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        progress(step + 1, 255 * loss.item() ** 0.5)
    for name in names:
        learning.scales[learning.names.index(name)] *= factors[name].detach().exp()
    return learning.eval()


class _Stepping(FakeQuantized):
    """Everything through its 8 bits, with gradients for the steps of some values: times the exponential of a factor."""

    def __init__(self, network: Quantized, image: Tensor, table: Tensor, factors: dict[str, nn.Parameter]) -> None:
        super().__init__(network, image, table)
        self.learned = set(factors)
        for name, factor in factors.items():
            step, zero = self.ranges[name]
            self.ranges[name] = step * factor.exp(), zero

    def settled(self, name: str, value: Tensor) -> Tensor:
        if name not in self.learned:
            return super().settled(name, value)
        step, zero = self.ranges[name]
        levels = value / step
        rounded = levels + (levels.round() - levels).detach()
        return (torch.clamp(rounded + zero, 0, 255) - zero) * step
