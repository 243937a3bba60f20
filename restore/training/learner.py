"""A network with its optimizers: one training step, and saving and restoring the state of both."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from restore.training.recipe import OPTIMIZERS

__all__ = ["Learner"]

State = dict[str, Tensor]

# Learning rate of Muon relative to that of Adam for the other parameters, if Muon's steps have the size of Adam's. With
# 1,000 steps of the recipe `tiny`, the PSNR of the validation was 31.55 dB with Adam alone, 31.60 with a ratio of 1,
# 31.69 with 3, and 30.95 with 8.
_MUON_RATE = 3.0
# Steps of a constant size make weights grow: without decay, values within the network became thousands after 30,000
# steps, and 8 bits were too few for them.
_MUON_DECAY = 0.1
_ADAM_BETAS = {"adam": (0.9, 0.999), "muon": (0.9, 0.99)}
_LEAST_SIDE = 16  # of a matrix of weights that Muon takes; the last layer of a network has only few filters


class Learner:
    """A network and its optimizers.

    Parameters
    ----------
    module : Module
        The network, on the device where it is trained.
    rate : float
        Learning rate at the start.
    optimizer : {"adam", "muon"}
        "muon": Muon (Jordan et al. 2024), with steps of the size of Adam's (Liu et al. 2025, "Muon is scalable for LLM
        training"), for the weights of convolutions, as matrices of one row for each filter; Adam for all others.
    name, prefix : str
        Prefixes of the names of tensors in a checkpoint: for the weights, and for the averages of the optimizers.
    """

    def __init__(
        self, module: nn.Module, rate: float, *, optimizer: str = "adam", name: str = "network.", prefix: str = ""
    ) -> None:
        self.module, self._rate, self._kind = module, rate, optimizer
        self._prefix, self._prefixes = name, {kind: f"{prefix}{kind}." for kind in OPTIMIZERS}
        self._start()

    def _start(self) -> None:
        """Make the optimizers, without averages yet."""
        parameters = list(self.module.parameters())
        self._filters = [weights for weights in parameters if self._kind == "muon" and _is_matrix(weights)]
        taken = {id(weights) for weights in self._filters}
        self._others = [parameter for parameter in parameters if id(parameter) not in taken]
        self._optimizers: dict[str, torch.optim.Optimizer] = {
            "adam": torch.optim.Adam(self._others, lr=self._rate, betas=_ADAM_BETAS[self._kind])
        }
        if self._filters:
            self._matrices = [nn.Parameter(_as_matrix(weights.detach())) for weights in self._filters]
            self._optimizers["muon"] = torch.optim.Muon(
                self._matrices, lr=self._rate, weight_decay=_MUON_DECAY, adjust_lr_fn="match_rms_adamw"
            )

    def descend(self, loss: Tensor, rate: float, clip: float = 0.0) -> None:
        """Take one step. `clip` limits the norm of the gradient; 0 means no limit."""
        for kind, optimizer in self._optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = rate if kind == "adam" else _MUON_RATE * rate
        self.module.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if clip:
            nn.utils.clip_grad_norm_(self.module.parameters(), clip)
        if self._filters:
            for matrix, weights in zip(self._matrices, self._filters, strict=True):
                matrix.grad = None if weights.grad is None else _as_matrix(weights.grad, weights)
        for optimizer in self._optimizers.values():
            optimizer.step()

    def reset(self, weights: State) -> None:
        """Set the weights, and start the optimizers anew."""
        self.module.load_state_dict(weights)
        self._start()

    def weights(self) -> State:
        """A copy of the weights."""
        return {name: tensor.clone() for name, tensor in self.module.state_dict().items()}

    def state(self) -> State:
        """The whole state as named tensors: weights, and averages of the optimizers."""
        state = {self._prefix + name: tensor.contiguous() for name, tensor in self.module.state_dict().items()}
        for kind, optimizer in self._optimizers.items():
            for index, averages in optimizer.state_dict()["state"].items():
                prefix = f"{self._prefixes[kind]}{index}."
                state |= {prefix + name: tensor.contiguous() for name, tensor in averages.items()}
        return state

    def restore(self, state: State) -> None:
        """Set the state that `state` returned; tensors with other prefixes are ignored."""
        self.module.load_state_dict(_with_prefix(state, self._prefix))
        for kind, optimizer in self._optimizers.items():
            parameters: Sequence[Tensor] = self._others if kind == "adam" else self._matrices
            averages = optimizer.state_dict()
            for name, tensor in _with_prefix(state, self._prefixes[kind]).items():
                index, _, key = name.partition(".")
                averages["state"].setdefault(int(index), {})[key] = _with_layout_of(tensor, parameters[int(index)])
            optimizer.load_state_dict(averages)


def _is_matrix(weights: Tensor) -> bool:
    """Whether these are the weights of a convolution with many filters."""
    return weights.ndim == 4 and min(weights.shape[0], weights[0].numel()) >= _LEAST_SIDE


def _as_matrix(values: Tensor, like: Tensor | None = None) -> Tensor:
    """Weights as a matrix of one row for each filter, which shares their memory; gradients in the same order."""
    is_plain = (values if like is None else like).is_contiguous()
    return values.flatten(1) if is_plain else values.permute(0, 2, 3, 1).flatten(1)


def _with_layout_of(tensor: Tensor, parameter: Tensor) -> Tensor:
    """Copy a tensor to the memory layout of a parameter: the layout can change the last bit of an update."""
    return tensor if tensor.shape != parameter.shape else torch.empty_like(parameter, device="cpu").copy_(tensor)


def _with_prefix(state: State, prefix: str) -> State:
    """The tensors whose names have the prefix, by their names without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
