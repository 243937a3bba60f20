"""Functions that the tests of training share: pictures, and recipes whose training takes a second."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from restore.channel.degradation import Degradation
from restore.runtime.context import Context
from restore.training.recipe import Recipe, Validation

Network = TypeVar("Network", bound=torch.nn.Module)
SMALL = {"network": "conditioned", "width": 8, "blocks": 1}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Any:
    """Use one thread of torch: small networks are not faster with more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures of flat shapes with sharp borders, for training and for validation."""
    return save_shapes(tmp_path_factory.mktemp("data"), 4, 64, 80)


def save_shapes(folder: Path, count: int, height: int, width: int) -> Path:
    """Save pictures of flat shapes in the subfolder ``photographs``, and return the folder."""
    (folder / "photographs").mkdir()
    rows, columns = np.mgrid[:height, :width] / 8
    for number in range(count):
        shapes = [np.sin(rows * (k + 1) / 3 + number) * np.cos(columns * (number + 1) / (k + 2)) for k in range(3)]
        picture = (128 + 80 * np.sign(np.stack(shapes, -1))).astype(np.uint8)
        Image.fromarray(picture).save(folder / "photographs" / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def weighed(data: Path) -> Path:
    """The same folder with a file of random weights of SqueezeNet 1.1."""
    from torchvision import models

    (folder := data / "weights").mkdir()
    torch.manual_seed(0)
    save_file(models.squeezenet1_1(weights=None).state_dict(), folder / "squeezenet1_1.safetensors")
    return data


def recipe(**options: Any) -> Recipe:
    """A recipe whose training takes a second."""
    small: dict[str, Any] = {
        "network": SMALL, "photographs": {"photographs": 1}, "degradation": Degradation((10, 30), sigmas=(0.0, 5.0)),
        "side": 16, "count": 4, "steps": 6, "clip": 0.1, "validation": Validation("photographs", 1, (10,), 2),
    }  # fmt: skip
    return Recipe(**(small | options))


def conditions(steps: Any, sigma: float = 0.0) -> torch.Tensor:
    """The conditions of files of which only the steps, shape (N, tables, 8, 8), and the noise are known."""
    return torch.from_numpy(
        np.stack([Context.of_steps(file, sigma).condition(len(file)) for file in np.asarray(steps)])
    )


def shaken(network: Network) -> Network:
    """The network with random weights, also in layers that are initialized with zeros."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / max(1, parameter[0].numel()) ** 0.5)
    return network.eval()


def weights_of(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Copies of the weights of a network."""
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def log(folder: Path) -> list[dict[str, str]]:
    """The rows of the log of a training."""
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def stopped_at(step: int) -> Any:
    """A progress function that stops the training at a step, as a user does with Ctrl-C."""

    def stop(done: int, steps: int, seen: dict[str, float]) -> None:
        if done == step:
            raise KeyboardInterrupt

    return stop
