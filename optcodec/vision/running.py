"""How networks are run: in evaluation mode, in the layout that is fast on a CPU, on one thread for each caller."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

__all__ = ["as_used", "one_thread_each", "one_torch_thread"]


def as_used(module: nn.Module) -> nn.Module:
    """Copy of a network in evaluation mode that is faster on a CPU; its outputs differ by rounding only.

    Channels are stored last in memory, and a batch normalization that follows a convolution in a `torch.nn.Sequential`
    is merged into it.
    """
    import torch

    copy = deepcopy(module).eval()
    for chain in list(copy.modules()):
        if type(chain).forward is torch.nn.Sequential.forward:
            _fuse(chain)
    return copy.to(memory_format=torch.channels_last)


def _fuse(chain: nn.Module) -> None:
    """Merge each Conv2d with the BatchNorm2d after it; layers with hooks stay as they are."""
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for (name, first), (name_after, second) in pairwise(list(chain.named_children())):
        if type(first) is not nn.Conv2d or type(second) is not nn.BatchNorm2d or not second.track_running_stats:
            continue
        if not (first._forward_hooks or second._forward_hooks or first._forward_pre_hooks):
            setattr(chain, name, fuse_conv_bn_eval(first, second))
            setattr(chain, name_after, nn.Identity())


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Limit torch to one thread for each thread that calls it.

    Several images at a time, each on one core, take less time than one image on all cores; and threads of torch that
    wait for each other would block the cores for others.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def one_thread_each() -> AbstractContextManager[None]:
    """Where torch is in use, one thread of it for each of ours; where it is not, it stays so."""
    return one_torch_thread() if "torch" in sys.modules else nullcontext()
