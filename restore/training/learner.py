"""A network with its Adam optimizer: one training step, and saving and restoring the state of both."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Learner"]

State = dict[str, Tensor]


class Learner:
    """A network and its optimizer.

    Parameters
    ----------
    module : Module
        The network, on the device where it is trained.
    rate : float
        Learning rate at the start.
    name, adam : str
        Prefixes of the names of tensors in a checkpoint: for the weights, and for the averages of Adam.
    """

    def __init__(self, module: nn.Module, rate: float, *, name: str = "network.", adam: str = "adam.") -> None:
        self.module, self._rate, self._prefix, self._adam_prefix = module, rate, name, adam
        self._optimizer = torch.optim.Adam(module.parameters(), lr=rate)

    def descend(self, loss: Tensor, rate: float, clip: float = 0.0) -> None:
        """Take one step of Adam. `clip` limits the norm of the gradient; 0 means no limit."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if clip:
            nn.utils.clip_grad_norm_(self.module.parameters(), clip)
        self._optimizer.step()

    def reset(self, weights: State) -> None:
        """Set the weights, and start Adam anew."""
        self.module.load_state_dict(weights)
        self._optimizer = torch.optim.Adam(self.module.parameters(), lr=self._rate)

    def weights(self) -> State:
        """A copy of the weights."""
        return {name: tensor.clone() for name, tensor in self.module.state_dict().items()}

    def state(self) -> State:
        """The whole state as named tensors: weights, and averages of Adam."""
        state = {self._prefix + name: tensor.contiguous() for name, tensor in self.module.state_dict().items()}
        for index, averages in self._optimizer.state_dict()["state"].items():
            state |= {f"{self._adam_prefix}{index}.{name}": tensor.contiguous() for name, tensor in averages.items()}
        return state

    def restore(self, state: State) -> None:
        """Set the state that `state` returned; tensors with other prefixes are ignored."""
        self.module.load_state_dict(_with_prefix(state, self._prefix))
        adam, parameters = self._optimizer.state_dict(), list(self.module.parameters())
        for name, tensor in _with_prefix(state, self._adam_prefix).items():
            index, _, key = name.partition(".")
            adam["state"].setdefault(int(index), {})[key] = _with_layout_of(tensor, parameters[int(index)])
        self._optimizer.load_state_dict(adam)


def _with_layout_of(tensor: Tensor, parameter: Tensor) -> Tensor:
    """Copy a tensor to the memory layout of a parameter: the layout can change the last bit of Adam's arithmetic."""
    return tensor if tensor.shape != parameter.shape else torch.empty_like(parameter, device="cpu").copy_(tensor)


def _with_prefix(state: State, prefix: str) -> State:
    """The tensors whose names have the prefix, by their names without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
