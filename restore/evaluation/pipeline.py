"""The whole way of a picture: files of any sender, noise on what they decode to, and receivers behind that.

`optcodec.rates` measures senders; here are the readers that it needs for receivers, and crops of what they restore.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias
from zlib import crc32

import numpy as np
import numpy.typing as npt

from optcodec import InvalidInputError, MaxBytes, Target
from optcodec.rates import Curve, Failed, Original, Rate, Reader, Sender
from optcodec.shared import write_whole
from restore.channel.samples import add_noise, decode
from restore.evaluation.figures import Crop, crops_figure, draw
from restore.evaluation.receiver import Receiver, noisy_planes
from restore.runtime.decode import receive
from restore.runtime.hint import Hint
from restore.runtime.hinting import hinted
from restore.runtime.models import Model

__all__ = ["Crops", "HintingSender", "readers_of"]

Samples: TypeAlias = npt.NDArray[np.uint8]


def readers_of(
    receivers: Sequence[Receiver], sigmas: Sequence[float], *, seed: int = 0
) -> tuple[tuple[Reader, ...], list[Failed]]:
    """All receivers behind all noises.

    Parameters
    ----------
    receivers : sequence of Receiver
        What restores.
    sigmas : sequence of float
        Standard deviations of the Gaussian noise on the decoded samples (Y, or Y, Cb and Cr), in 8-bit units; 0 for
        none: then receivers get the file.
    seed : int
        Of the noise, which is the same for all senders, receivers and rates of a picture.

    Returns
    -------
    tuple of Reader
        For `optcodec.rates.Experiment`.
    list of Failed
        Receivers that cannot be used behind a noise: those that need the file, and models for files without noise.
    """
    readers, left_out = [], []
    for sigma in map(float, sigmas):
        for receiver in receivers:
            if not sigma:
                readers.append(_of_files(receiver))
            elif receiver.restore is None:
                left_out.append(_not_behind_noise(receiver, sigma))
            else:
                readers.append(_behind_noise(receiver, sigma, seed))
    return tuple(readers), left_out


def _of_files(receiver: Receiver) -> Reader:
    """The receiver of files."""
    return Reader(receiver.name, 0.0, lambda data, name: receiver.receive(data))


def _not_behind_noise(receiver: Receiver, sigma: float) -> Failed:
    why = "needs the JPEG file, of which the noise leaves only samples; expected sigma 0"
    if receiver.nbytes is not None:
        why = "is a model for files without noise; expected sigma 0, or a model that was trained for noise"
    return Failed(f"it {why}", receiver=Curve("", receiver.name, sigma).behind)


def _behind_noise(receiver: Receiver, sigma: float, seed: int) -> Reader:
    """The receiver of decoded samples to which noise was added."""
    restore = receiver.restore
    assert restore is not None  # `readers_of` has left out all others

    def read(data: bytes, name: str) -> Samples:
        rng = np.random.default_rng((seed, crc32(name.encode()), round(1000 * sigma)))
        received = receive(data)
        samples = add_noise(decode(data, "L" if received.is_gray else "YCbCr"), sigma, rng)
        return restore(*noisy_planes(samples, received.context.steps, sigma))

    return Reader(receiver.name, sigma, read)


@dataclass(frozen=True)
class HintingSender:
    """An encoder whose files get a hint for a model, within the bytes that are asked for.

    Parameters
    ----------
    name : str
        Its name.
    sender : Sender
        What encodes.
    model : Model
        The receiver that the hints are for.
    """

    name: str
    sender: Sender
    model: Model

    def encode(self, pixels: Samples, subsampling: str, target: Target) -> bytes:
        """See `optcodec.rates.Sender`."""
        if isinstance(target, MaxBytes):
            target = replace(target, nbytes=max(1, target.nbytes - Hint.nbytes(is_gray=pixels.ndim == 2)))
        return hinted(self.sender.encode(pixels, subsampling, target), pixels, self.model).data


class Crops:
    """Writes crops of an original and of all that was restored of it, side by side, above maps of the errors.

    Called by `optcodec.rates.Experiment`, from several threads; one figure is drawn at a time.

    Parameters
    ----------
    folder : Path
        Gets a PNG file for each picture, rate and noise.
    crop : Crop, optional
        The part that is drawn; by default 128x128 pixels in the middle.
    """

    def __init__(self, folder: Path, crop: Crop | None = None) -> None:
        self._folder, self._crop = folder, crop
        self._lock = threading.Lock()  # matplotlib's caches are not made for threads

    def __call__(
        self, original: Original, pixels: Samples, rate: Rate, sigma: float, pictures: Mapping[Curve, Samples]
    ) -> None:
        """Draw the crops of one rate."""
        noise = f", sigma {sigma:g}" if sigma else ""
        title = f"{original.set} {Path(original.name).stem}, {rate}{noise}"
        named = [(f"{curve.sender}\n{curve.receiver}", picture) for curve, picture in pictures.items()]
        with self._lock:
            figure = crops_figure(pixels, named, self._crop or Crop.middle(pixels), title=title)
            write_whole(self._folder / f"{_file_name(title)}.png", draw(figure))


def _file_name(title: str) -> str:
    """A name for a file: letters, digits, dots and hyphens."""
    name = re.sub(r"[^\w.-]+", "-", title).strip("-.")
    if not name:
        raise InvalidInputError(f"expected a name with letters or digits, got {title!r}")
    return name
