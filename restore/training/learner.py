"""A network and the Adam that trains it, with all that a resumed training needs of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Learner"]

State = dict[str, Tensor]


class Learner:
    """What takes steps down a loss.

    Parameters
    ----------
    module : Module
        On the device where it is trained.
    rate : float
        Learning rate at the start.
    name, adam : str
        What the names of its tensors begin with in a checkpoint: of the weights, and of Adam's averages.
    """

    def __init__(self, module: nn.Module, rate: float, *, name: str = "network.", adam: str = "adam.") -> None:
        self.module, self._rate, self._name, self._adam = module, rate, name, adam
        self._optimizer = torch.optim.Adam(module.parameters(), lr=rate)

    def descend(self, loss: Tensor, rate: float, clip: float = 0.0) -> None:
        """One step of Adam; `clip` is the largest norm of the gradient, 0 leaves it."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if clip:
            nn.utils.clip_grad_norm_(self.module.parameters(), clip)
        self._optimizer.step()

    def forget(self, weights: State) -> None:
        """Go back to these weights, with an Adam that has seen nothing."""
        self.module.load_state_dict(weights)
        self._optimizer = torch.optim.Adam(self.module.parameters(), lr=self._rate)

    def weights(self) -> State:
        """A copy of the weights."""
        return {name: tensor.clone() for name, tensor in self.module.state_dict().items()}

    def state(self) -> State:
        """All of it as tensors with names of their own."""
        state = {self._name + name: tensor.contiguous() for name, tensor in self.module.state_dict().items()}
        for index, averages in self._optimizer.state_dict()["state"].items():
            state |= {f"{self._adam}{index}.{name}": tensor.contiguous() for name, tensor in averages.items()}
        return state

    def restore(self, state: State) -> None:
        """The opposite of `state`; tensors of others in it are left alone."""
        self.module.load_state_dict(_under(state, self._name))
        adam, parameters = self._optimizer.state_dict(), list(self.module.parameters())
        for name, tensor in _under(state, self._adam).items():
            index, _, key = name.partition(".")
            adam["state"].setdefault(int(index), {})[key] = _laid_out_as(tensor, parameters[int(index)])
        self._optimizer.load_state_dict(adam)


def _laid_out_as(tensor: Tensor, parameter: Tensor) -> Tensor:
    """The order in memory decides how Adam's arithmetic is vectorized, and so its last bit."""
    return tensor if tensor.shape != parameter.shape else torch.empty_like(parameter, device="cpu").copy_(tensor)


def _under(state: State, prefix: str) -> State:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
