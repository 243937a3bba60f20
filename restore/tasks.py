"""Restoration problems with a receiver that undoes them: what an encoder can be measured with, and made for.

``optcodec blocks profile --task restore.tasks:denoise25`` takes the functions of this module; with a network of one's
own, ``make_task("denoise25", Path("network.safetensors"))`` is what such a function gives.
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
    """A problem and what the receiver makes of a file; an `optcodec.Task`.

    Parameters
    ----------
    problem : Problem
        What has happened to the image before it is coded.
    receive : callable
        Bytes of a JPEG file to the restored image, RGB uint8, `scale` times as large.
    receiver : str
        What it is called.
    network : Module or None
        The network in it, from and to RGB of 0..1, where it is one of torch.
    """

    problem: Problem
    receive: Callable[[bytes], Samples]
    receiver: str
    network: nn.Module | None = None

    @property
    def name(self) -> str:
        """Problem and receiver."""
        return f"{self.problem.name} by {self.receiver}"

    @property
    def scale(self) -> int:
        """Side of the restored image over that of the sent one."""
        return self.problem.scale

    def reference(self, clean: Samples) -> Samples:
        """See `Problem.reference`."""
        return self.problem.reference(clean)

    def sent(self, clean: Samples, seed: int) -> Samples:
        """See `Problem.sent`; a seed for its generator."""
        return self.problem.sent(clean, np.random.default_rng(seed))

    def restored(self, data: bytes) -> Samples:
        """What the receiver makes of a file."""
        return self.receive(data)


def make_task(problem: str, network: Path | str | None = None) -> RestorationTask:
    """A problem with a network.

    Parameters
    ----------
    problem : str
        See `restore.channel.problem.PROBLEMS`.
    network : path or str, optional
        A file of `restore train` for RGB; the name of a shipped one (see `shipped_tasks`); ``spandrel:FILE``, the
        weights of others. By default the shipped network of the problem; for ``deblock`` the model ``default``.

    Raises
    ------
    InvalidInputError
        If there is no such problem or network, the network does not fit the problem, or a package is missing that the
        two need.
    """
    found = find_problem(problem)
    if found.name == "deblock" and network is None:
        require_packages("onnxruntime")
        return RestorationTask(found, _deblocked, "default")
    given = f"{problem}-64" if network is None else str(network)
    if given.startswith("spandrel:"):
        require_packages("torch", "safetensors.torch", "spandrel", *found.modules, extra="evaluate")
        from restore.evaluation.torch_receivers import spandrel_restorer

        run, scale = spandrel_restorer(Path(given.removeprefix("spandrel:")))
        _check_scale(given, scale, found)
        return RestorationTask(found, lambda data: _shown(run(_planes(data))), given)
    return _of_network(found, _file(given))


def shipped_tasks() -> list[str]:
    """Names of the networks for the problems in the package: problem, hyphen, and width or kind."""
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
    """Nothing but JPEG."""
    return make_task("deblock")


def _file(given: str) -> Path:
    if given in shipped_tasks():
        return _FOLDER / f"{given}.safetensors"
    if not Path(given).exists():
        raise InvalidInputError(f"no network {given!r}; expected a file, spandrel:FILE or {', '.join(shipped_tasks())}")
    return Path(given)


def _of_network(problem: Problem, path: Path) -> RestorationTask:
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
            return _shown(network(torch.from_numpy(_planes(data))[None])[0].numpy())

    return RestorationTask(problem, receive, path.stem, network)


def _check_scale(name: str, scale: float, problem: Problem) -> None:
    if scale != problem.scale:
        raise InvalidInputError(f"{name} enlarges {scale:g} times, {problem.name} asks for {problem.scale}")


def _planes(data: bytes) -> npt.NDArray[np.float32]:
    """RGB (3, height, width) of 0..1, as Pillow (libjpeg-turbo) decodes a file."""
    with Image.open(io.BytesIO(data)) as file:
        image = np.asarray(file.convert("RGB"))
    return np.ascontiguousarray(image.transpose(2, 0, 1)).astype(np.float32) / np.float32(255)


def _shown(planes: npt.NDArray[np.float32]) -> Samples:
    samples: Samples = np.rint(np.clip(planes * 255, 0, 255)).astype(np.uint8).transpose(1, 2, 0)
    return np.ascontiguousarray(samples)


def _deblocked(data: bytes) -> Samples:
    from restore.runtime.infer import restore_image

    restored = restore_image(data)
    return restored if restored.ndim == 3 else np.repeat(restored[..., None], 3, axis=2)
