"""Restoration tasks: a problem (super-resolution, denoising, deblurring, JPEG artifacts) and a receiver that solves it.

An encoder can be measured with a task, and optimized for it. ``optcodec blocks profile --task restore.tasks:denoise25``
takes the functions of this module. A function of your own returns, for a network of your own,
``make_task("denoise25", Path("network.safetensors"))``.
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
        A network file of `restore train` for RGB; the name of a shipped network (see `shipped_tasks`); or
        ``spandrel:FILE`` for published weights that the package spandrel can load. By default the shipped network of
        the problem; for ``deblock`` the model ``default``.

    Raises
    ------
    InvalidInputError
        If there is no such problem or network, the network does not fit the problem, or a package that they need is
        not installed.
    """
    restoration = find_problem(problem)
    if restoration.name == "deblock" and network is None:
        require_packages("onnxruntime")
        return RestorationTask(restoration, _restore_by_default_model, "default")
    network_name = f"{problem}-64" if network is None else str(network)
    if network_name.startswith("spandrel:"):
        require_packages("torch", "safetensors.torch", "spandrel", *restoration.modules, extra="evaluate")
        from restore.evaluation.torch_receivers import spandrel_restorer

        run, scale = spandrel_restorer(Path(network_name.removeprefix("spandrel:")))
        _check_scale(network_name, scale, restoration)
        return RestorationTask(restoration, lambda data: _to_image(run(_decoded_planes(data))), network_name)
    return _network_task(restoration, _network_path(network_name))


def shipped_tasks() -> list[str]:
    """Names of the networks in the package, each made of a problem, a hyphen, and a width or a kind of network."""
    return sorted(path.stem for path in _FOLDER.glob("*.safetensors"))


def sr4() -> RestorationTask:
    """Super-resolution by four."""
    return make_task("sr4")


def denoise25() -> RestorationTask:
    """Gaussian noise of standard deviation 25."""
    return make_task("denoise25")


def deblur() -> RestorationTask:
    """Gaussian blur of standard deviation 1.5."""
    return make_task("deblur1.5")


def deblock() -> RestorationTask:
    """JPEG artifacts: no degradation other than the JPEG coding itself."""
    return make_task("deblock")


def _network_path(network_name: str) -> Path:
    if network_name in shipped_tasks():
        return _FOLDER / f"{network_name}.safetensors"
    if not Path(network_name).exists():
        raise InvalidInputError(
            f"no network {network_name!r}; expected a file, spandrel:FILE or {', '.join(shipped_tasks())}"
        )
    return Path(network_name)


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
