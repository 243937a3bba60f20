"""Train QP-NET, which predicts the utility group of a block (see `optcodec.blocks.qpnet`), with torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.blocks.qpnet import CONVOLUTIONS, MOST_GROUPS, QpNet
from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages

__all__ = [
    "Epoch",
    "Labelled",
    "QpNetRecipe",
    "module_input",
    "qpnet_module",
    "scores",
    "soft_labels",
    "train_qpnet",
]

Blocks = npt.NDArray[np.uint8]
Labelled = tuple[Blocks, npt.NDArray[np.integer[Any]]]  # blocks (N, 32, 32, 3) in RGB, and their groups (N,)

_BATCH = 64
_SCORED_AT_ONCE = 1024


@dataclass(frozen=True)
class Epoch:
    """Losses of one epoch.

    Parameters
    ----------
    number : int
        Number of the epoch, from 1.
    loss : float
        Mean cross-entropy on the training blocks, in nats.
    validation_loss : float
        Mean cross-entropy on the validation blocks, in nats, without flips and rotations.
    """

    number: int
    loss: float
    validation_loss: float


def soft_labels(groups: int) -> npt.NDArray[np.float32]:
    """Label distributions of the groups: softmax of the negative squared distance of ranks.

    Diaz and Marathe, "Soft Labels for Ordinal Regression", CVPR 2019, eq. (1).

    Returns
    -------
    ndarray of float32, shape (groups, groups)
        One row for each true group, with sum 1.
    """
    ranks = np.arange(groups, dtype=np.float64)
    shares = np.exp(-((ranks[:, None] - ranks) ** 2))
    return np.asarray(shares / shares.sum(1, keepdims=True), np.float32)


def qpnet_module(groups: int) -> Any:
    """The network as a `torch.nn.Module`: takes samples from `module_input`, returns logits.

    The names of its parameters are those of `optcodec.blocks.qpnet.weight_shapes`.
    """
    require_packages("torch")
    from collections import OrderedDict

    from torch import nn

    layers: list[tuple[str, Any]] = []
    for name, (outputs, inputs, kernel, stride) in CONVOLUTIONS.items():
        layers += [(name, nn.Conv2d(inputs, outputs, kernel, stride)), (f"{name}_relu", nn.ReLU())]
    layers += [("pool", nn.AdaptiveAvgPool2d(1)), ("flat", nn.Flatten()), ("dense", nn.Linear(outputs, groups))]
    return nn.Sequential(OrderedDict(layers))


def module_input(blocks: Blocks) -> Any:
    """Tensor (N, 3, 32, 32) of float32: (sample - 128) / 16."""
    import torch

    return (torch.from_numpy(np.array(blocks, np.float32, order="C")).permute(0, 3, 1, 2) - 128) / 16


@dataclass(frozen=True)
class QpNetRecipe:
    """How a network is trained.

    Parameters
    ----------
    epochs : int
        At least 1.
    seed : int
        Of the first weights, the order and the turns.
    rate : float
        First learning rate, above 0.
    halve_every : int
        Epochs after each of which the learning rate is halved, at least 1.

    Raises
    ------
    InvalidInputError
        If a number is too small.
    """

    epochs: int = 24
    seed: int = 0
    rate: float = 1e-3
    halve_every: int = 4

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.halve_every < 1 or not self.rate > 0:
            values = f"{self.epochs}, {self.halve_every} and {self.rate}"
            raise InvalidInputError(f"epochs and halve_every are at least 1, rate is above 0; got {values}")


def train_qpnet(
    blocks: Blocks,
    groups: npt.NDArray[np.integer[Any]],
    count: int,
    *,
    validation: Labelled,
    recipe: QpNetRecipe | None = None,
    provenance: Mapping[str, Any] | None = None,
    progress: Callable[[Epoch], None] | None = None,
) -> QpNet:
    """Train a network to predict the groups of blocks.

    The loss is cross-entropy with `soft_labels`; the optimizer is Adam with batches of 64. Blocks are flipped, and
    rotated by multiples of 90 degrees, at random. The network of the epoch with the least validation loss is returned.

    Parameters
    ----------
    blocks : ndarray of uint8, shape (N, 32, 32, 3)
        RGB.
    groups : ndarray of int, shape (N,)
        Their groups, 0..count-1.
    count : int
        Number of groups, 2..64.
    validation : (ndarray, ndarray)
        Other blocks with their groups, which select the epoch and on which the accuracies of the card are measured.
    recipe : QpNetRecipe, optional
        Settings of the training. With the same recipe and the same number of torch threads the result is the same.
    provenance : mapping, optional
        Further entries of the network's provenance; the training settings are added.
    progress : callable, optional
        Called after each epoch.

    Returns
    -------
    QpNet
        Its card holds `scores` on the validation blocks.

    Raises
    ------
    InvalidInputError
        If blocks or groups have another type, shape or range, training diverges, or torch or SciPy is missing.
    """
    for what, pair in (("training", (blocks, groups)), ("validation", validation)):
        _check(what, *pair, count)
    recipe = recipe or QpNetRecipe()
    require_packages("torch", "scipy.stats", extra="torch")
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        module = qpnet_module(count)
        best = _trained(module, (blocks, groups), validation, recipe, progress)
    weights = {name: tensor.numpy() for name, tensor in best.items()}
    about = asdict(recipe) | {"batch": _BATCH}
    origin = {**(provenance or {}), "recipe": about, "blocks": len(blocks), "validation_blocks": len(validation[0])}
    net = QpNet(count, weights, origin, {})
    return QpNet(count, weights, origin, scores(_predicted(net, validation[0]), validation[1]))


def scores(shares: npt.NDArray[np.float32], groups: npt.NDArray[np.integer[Any]]) -> dict[str, float]:
    """Accuracies of predicted distributions.

    Parameters
    ----------
    shares : ndarray of float32, shape (N, M)
        Predicted probabilities of the groups.
    groups : ndarray of int, shape (N,)
        True groups.

    Returns
    -------
    dict
        ``top1`` and ``within_one``: fractions of blocks whose most likely group is right, or at most one off;
        ``rank_correlation``: Spearman's, of the expected and the true group; 0 if one of them is the same for all.
    """
    require_packages("scipy.stats", extra="torch")
    from scipy.stats import spearmanr

    off = np.abs(shares.argmax(1) - groups)
    expected = shares.astype(np.float64) @ np.arange(shares.shape[1])
    constant = np.ptp(expected) == 0 or np.ptp(groups) == 0
    correlation = 0.0 if constant else float(spearmanr(expected, groups).statistic)
    return {
        "top1": float((off == 0).mean()),
        "within_one": float((off <= 1).mean()),
        "rank_correlation": correlation,
    }


def _check(what: str, blocks: Any, groups: Any, count: Any) -> None:
    if not isinstance(count, int) or not 2 <= count <= MOST_GROUPS:
        raise InvalidInputError(f"a QP-NET has 2..{MOST_GROUPS} groups, got {count!r}")
    blocks, groups = np.asarray(blocks), np.asarray(groups)
    if blocks.dtype != np.uint8 or blocks.ndim != 4 or blocks.shape[1:] != (32, 32, 3) or len(blocks) == 0:
        raise InvalidInputError(f"{what} takes uint8 blocks (N, 32, 32, 3), got {blocks.dtype} of {blocks.shape}")
    if groups.shape != (len(blocks),) or groups.dtype.kind not in "iu":
        raise InvalidInputError(
            f"{what} takes {len(blocks)} integers as groups, got {groups.dtype} of shape {groups.shape}"
        )
    if groups.min() < 0 or groups.max() >= count:
        raise InvalidInputError(f"groups are 0..{count - 1}, got {groups.min()}..{groups.max()} for {what}")


def _trained(
    module: Any,
    training: Labelled,
    validation: Labelled,
    recipe: QpNetRecipe,
    progress: Callable[[Epoch], None] | None,
) -> dict[str, Any]:
    """Train the module; parameters of the epoch with the least validation loss."""
    import torch

    labels = torch.from_numpy(soft_labels(module.dense.out_features))
    optimizer = torch.optim.Adam(module.parameters(), recipe.rate)
    halving = torch.optim.lr_scheduler.StepLR(optimizer, recipe.halve_every, 0.5)
    least, best = np.inf, {}
    for number in range(1, recipe.epochs + 1):
        loss = _epoch(module, training, labels, optimizer)
        halving.step()
        epoch = Epoch(number, loss, _loss(module, validation, labels))
        if epoch.validation_loss < least:
            least, best = epoch.validation_loss, {k: v.detach().clone() for k, v in module.state_dict().items()}
        if progress is not None:
            progress(epoch)
    if not best:
        raise InvalidInputError(f"training diverged at the rate {recipe.rate}; expected a smaller one")
    return best


def _epoch(module: Any, training: Labelled, labels: Any, optimizer: Any) -> float:
    """Train one epoch, with a step for each batch; the mean loss."""
    import torch
    from torch.nn.functional import cross_entropy

    blocks, groups = training
    total = 0.0
    order = torch.randperm(len(blocks)).numpy()
    for start in range(0, len(blocks), _BATCH):
        picked = order[start : start + _BATCH]
        target = labels[torch.from_numpy(groups[picked].astype(np.int64))]
        loss: Any = cross_entropy(module(_turned(module_input(blocks[picked]))), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += float(loss.detach()) * len(picked)
    return total / len(blocks)


def _turned(samples: Any) -> Any:
    """Flip and rotate each block of a batch at random; all eight orientations are equally likely."""
    import torch

    chance = torch.rand(3, len(samples), 1, 1, 1) < 0.5
    samples = torch.where(chance[0], samples.flip(3), samples)
    samples = torch.where(chance[1], samples.flip(2), samples)
    return torch.where(chance[2], samples.transpose(2, 3), samples)


def _loss(module: Any, labelled: Labelled, labels: Any) -> float:
    """Mean cross-entropy of blocks, without flips and rotations."""
    import torch
    from torch.nn.functional import cross_entropy

    blocks, groups = labelled
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(blocks), _SCORED_AT_ONCE):
            part = slice(start, start + _SCORED_AT_ONCE)
            target = labels[torch.from_numpy(groups[part].astype(np.int64))]
            total += float(cross_entropy(module(module_input(blocks[part])), target, reduction="sum"))
    return total / len(blocks)


def _predicted(net: QpNet, blocks: Blocks) -> npt.NDArray[np.float32]:
    """Distributions (N, M) of single blocks: they are stacked to an image that is one block wide."""
    return net.distributions(blocks.reshape(-1, 32, 3))[:, 0]
