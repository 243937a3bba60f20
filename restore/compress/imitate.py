"""Fine-tuning of a network with 8 bits: it learns to give what the network with 32-bit floats gives.

What rounding adds to an image is far less than what neither network restores. Against the float network that little is
all there is to see, so that some hundred steps are enough, and no clean image is needed (distillation: Hinton, Vinyals
and Dean, "Distilling the knowledge in a neural network", 2015).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from restore.networks.quantized import Quantized

__all__ = ["IMITATION_RATE", "imitate"]

IMITATION_RATE = 2e-4
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
        Steps of Adam; the rate falls to zero along half a cosine.
    rate : float
        Learning rate at the beginning.
    progress : callable, optional
        Takes the number of steps done, and the root mean square difference of the outputs in samples (0..255) then.

    Returns
    -------
    Quantized
        A new one, in evaluation mode. Steps and zero levels of values are those of before.
    """
    network = copy.deepcopy(network).eval()
    learning = copy.deepcopy(quantized).train()
    optimizer = torch.optim.Adam(learning.parameters(), lr=rate)
    for step, (image, table) in zip(range(steps), batches, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        with torch.no_grad():
            wanted = network(image, table)
        loss = (learning(image, table) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        progress(step + 1, 255 * loss.item() ** 0.5)
    return learning.eval()
