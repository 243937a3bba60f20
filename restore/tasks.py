"""Restoration tasks: a problem (super-resolution, denoising, deblurring, JPEG artifacts) and a receiver that solves it.

An encoder can be measured with a task, and optimized for it. ``optcodec blocks profile --task restore.tasks:denoise25``
takes the functions of this module, and ``--task restore.tasks:denoise25@ffdnet:FILE`` one for another network. In
Python, ``make_task("denoise25", Path("network.safetensors"))`` makes it for a network of your own.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from optcodec import InvalidInputError, require_packages
from restore.channel.problem import Problem, find_problem
from restore.evaluation.foreign import FOREIGN, check_foreign, is_foreign, load_foreign

if TYPE_CHECKING:
    from torch import nn

__all__ = ["RestorationTask", "deblock", "deblur", "denoise25", "make_task", "shipped_tasks", "sr4"]

Samples = npt.NDArray[np.uint8]
_FOLDER = Path(__file__).parent / "data" / "tasks"


@dataclass(frozen=True, eq=False)
class RestorationTask:
    """A restoration problem and a receiver that solves it; implements the protocol `optcodec.Task`.

    Parameters
    ----------
    problem : Problem
        The degradation of the image before it is coded.
    receive : callable
        Takes the bytes of a JPEG file, returns the restored image: RGB uint8, each side `scale` times as long.
    receiver : str
        Name of the receiver.
    network : Module or None
        The torch network of the receiver, from and to RGB of 0..1; None where it has none.
    """

    problem: Problem
    receive: Callable[[bytes], Samples]
    receiver: str
    network: nn.Module | None = None

    @property
    def name(self) -> str:
        """Name of the problem and of the receiver."""
        return f"{self.problem.name} by {self.receiver}"

    @property
    def scale(self) -> int:
        """Ratio of the sides of the restored image and the sent image."""
        return self.problem.scale

    def reference(self, clean: Samples) -> Samples:
        """See `Problem.reference`."""
        return self.problem.reference(clean)

    def sent(self, clean: Samples, seed: int) -> Samples:
        """See `Problem.sent`; the seed is for its random generator."""
        return self.problem.sent(clean, np.random.default_rng(seed))

    def restored(self, data: bytes) -> Samples:
        """The image that the receiver restores from the bytes of a JPEG file."""
        return self.receive(data)


def make_task(problem: str, network: Path | str | None = None) -> RestorationTask:
    """Make a task from a problem and a network.

    Parameters
    ----------
    problem : str
        Name of a problem in `restore.channel.problem.PROBLEMS`.
    network : path or str, optional
        A network file of `restore train` for RGB; the name of a shipped network (see `shipped_tasks`); or a network
        that others made: ``onnx:FILE``, ``torchscript:FILE``, ``spandrel:FILE``, ``ffdnet:FILE`` and the others of
        `restore.evaluation.foreign`. By default the shipped network of the problem; for ``deblock`` the model
        ``default``.

    Raises
    ------
    InvalidInputError
        If there is no such problem or network, the network does not fit the problem, it makes a test picture much
        worse, or a package that they need is not installed.
    """
    restoration = find_problem(problem)
    if restoration.name == "deblock" and network is None:
        require_packages("onnxruntime")
        return RestorationTask(restoration, _restore_by_default_model, "default")
    network_name = f"{problem}-64" if network is None else str(network)
    if is_foreign(network_name):
        return _foreign_task(restoration, network_name)
    return _network_task(restoration, _network_path(network_name))


def shipped_tasks() -> list[str]:
    """Names of the networks in the package, each made of a problem, a hyphen, and a width or a kind of network."""
    return sorted(path.stem for path in _FOLDER.glob("*.safetensors"))


def sr4(network: str | None = None) -> RestorationTask:
    """Super-resolution by four; see `make_task`."""
    return make_task("sr4", network)


def denoise25(network: str | None = None) -> RestorationTask:
    """Gaussian noise of standard deviation 25; see `make_task`."""
    return make_task("denoise25", network)


def deblur(network: str | None = None) -> RestorationTask:
    """Gaussian blur of standard deviation 1.5; see `make_task`."""
    return make_task("deblur1.5", network)


def deblock(network: str | None = None) -> RestorationTask:
    """JPEG artifacts: no degradation other than the JPEG coding itself; see `make_task`."""
    return make_task("deblock", network)


def _network_path(network_name: str) -> Path:
    if network_name in shipped_tasks():
        return _FOLDER / f"{network_name}.safetensors"
    if not Path(network_name).exists():
        kinds = ", ".join(f"{kind}:FILE" for kind in FOREIGN)
        raise InvalidInputError(f"no network {network_name!r}; expected a file, {kinds}, {', '.join(shipped_tasks())}")
    return Path(network_name)


def _foreign_task(problem: Problem, name: str) -> RestorationTask:
    check_foreign(name)
    require_packages(*problem.modules, extra="torch")
    from restore.evaluation.plausible import check_restoration
    from restore.evaluation.torch_receivers import foreign_restorer

    network = load_foreign(name)
    _check_scale(name, network.scale, problem)
    run = foreign_restorer(network)

    def receive(data: bytes) -> Samples:
        return _to_image(run(_decoded_planes(data)))

    check_restoration(name, problem, receive)
    return RestorationTask(problem, receive, name, network.module if network.channels == 3 else None)


def _network_task(problem: Problem, path: Path) -> RestorationTask:
    require_packages("torch", "safetensors.torch", *problem.modules, extra="torch")
    import torch

    from restore.networks.weights import load_network

    network = load_network(path)
    with torch.no_grad():
        try:
            probe = network(torch.zeros(1, 3, 16, 24))
        except RuntimeError:
            raise InvalidInputError(f"{path} does not take RGB; expected a network of a restoration problem") from None
    _check_scale(str(path), probe.shape[2] / 16, problem)

    def receive(data: bytes) -> Samples:
        with torch.inference_mode():
            return _to_image(network(torch.from_numpy(_decoded_planes(data))[None])[0].numpy())

    return RestorationTask(problem, receive, path.stem, network)


def _check_scale(name: str, scale: float, problem: Problem) -> None:
    if scale != problem.scale:
        raise InvalidInputError(f"{name} enlarges {scale:g} times, {problem.name} asks for {problem.scale}")


def _decoded_planes(data: bytes) -> npt.NDArray[np.float32]:
    """Decode a file with Pillow (libjpeg-turbo) to RGB planes, shape (3, height, width), 0..1."""
    with Image.open(io.BytesIO(data)) as file:
        image = np.asarray(file.convert("RGB"))
    return np.ascontiguousarray(image.transpose(2, 0, 1)).astype(np.float32) / np.float32(255)


def _to_image(planes: npt.NDArray[np.float32]) -> Samples:
    samples: Samples = np.rint(np.clip(planes * 255, 0, 255)).astype(np.uint8).transpose(1, 2, 0)
    return np.ascontiguousarray(samples)


def _restore_by_default_model(data: bytes) -> Samples:
    from restore.runtime.restore import restore_image

    restored = restore_image(data)
    return restored if restored.ndim == 3 else np.repeat(restored[..., None], 3, axis=2)
