"""Measured values for each image and condition, so that conditions can be compared image by image; NPZ files."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.accuracy.conditions import Condition
from optcodec.errors import InvalidInputError
from optcodec.files import write_whole

__all__ = ["Rows"]

_PER_IMAGE: dict[str, type[np.generic]] = {
    "pixels": np.int64,
    "labels": np.int64,
    "reference_loss": np.float32,
    "reference_rank": np.int32,
    "reference_predicted": np.int32,
}
_PER_FILE: dict[str, type[np.generic]] = {
    "nbytes": np.int64,
    "loss": np.float32,
    "rank": np.int32,
    "predicted": np.int32,
    "psnr_db": np.float32,
    "swe": np.float32,
    "met": np.bool_,
}


@dataclass(frozen=True, eq=False)
class Rows:
    """Measurements of C conditions on N images; arrays are copied and read-only.

    Parameters
    ----------
    conditions : tuple of Condition
        C of them, all different.
    images : tuple of str
        Names of the N files.
    pixels : ndarray of int64, shape (N,)
        Number of pixels of each coded image.
    labels : ndarray of int64, shape (N,)
        True class; or the network's own prediction for the uncompressed image.
    reference_loss : ndarray of float32, shape (N,)
        Cross-entropy on the uncompressed image.
    reference_rank : ndarray of int32, shape (N,)
        Number of classes that the network finds more likely than the true one: 0 is a top-1 hit, below 5 a top-5 hit.
    reference_predicted : ndarray of int32, shape (N,)
        Most likely class of the uncompressed image.
    nbytes : ndarray of int64, shape (C, N)
        Bytes of the whole file, headers included.
    loss, rank, predicted : ndarray of float32, int32, int32, shape (C, N)
        The same for the decoded images.
    psnr_db : ndarray of float32, shape (C, N)
        PSNR in dB of the decoded against the uncompressed image in RGB; infinite if they are equal.
    swe : ndarray of float32, shape (C, N)
        Sensitivity weighted error of the coefficients, summed over components, with the normalized profile.
    met : ndarray of bool, shape (C, N)
        Whether the file meets its condition, see `optcodec.accuracy.coder.Coded`; True by default.

    Raises
    ------
    InvalidInputError
        If shapes or types do not fit, or two conditions are equal.
    """

    conditions: tuple[Condition, ...]
    images: tuple[str, ...]
    pixels: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    reference_loss: npt.NDArray[np.float32]
    reference_rank: npt.NDArray[np.int32]
    reference_predicted: npt.NDArray[np.int32]
    nbytes: npt.NDArray[np.int64]
    loss: npt.NDArray[np.float32]
    rank: npt.NDArray[np.int32]
    predicted: npt.NDArray[np.int32]
    psnr_db: npt.NDArray[np.float32]
    swe: npt.NDArray[np.float32]
    met: npt.NDArray[np.bool_] = field(default_factory=lambda: np.array(True))

    def __post_init__(self) -> None:
        if len(set(self.conditions)) != len(self.conditions):
            names = [str(condition) for condition in self.conditions]
            raise InvalidInputError(f"conditions are all different, got {names}")
        count = len(self.images)
        if np.ndim(self.met) == 0:
            object.__setattr__(self, "met", np.full((len(self.conditions), count), self.met))
        for name, dtype in (_PER_IMAGE | _PER_FILE).items():
            shape = (count,) if name in _PER_IMAGE else (len(self.conditions), count)
            array = np.array(getattr(self, name))
            if array.shape != shape or array.dtype != dtype:
                expected = f"{np.dtype(dtype)} {shape}"
                raise InvalidInputError(
                    f"expected {name} of type and shape {expected}, got {array.dtype} {array.shape}"
                )
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @classmethod
    def joined(cls, parts: Sequence[Rows]) -> Rows:
        """Concatenate rows of the same conditions on several sets of images.

        Raises
        ------
        InvalidInputError
            If `parts` is empty, or their conditions differ.
        """
        if len({part.conditions for part in parts}) != 1:
            raise InvalidInputError(f"expected rows of the same conditions, got {len(parts)} with different ones")
        names = tuple(name for part in parts for name in part.images)
        arrays = (np.concatenate([getattr(part, name) for part in parts], -1) for name in _PER_IMAGE | _PER_FILE)
        return cls(parts[0].conditions, names, *arrays)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a compressed ``.npz`` file without pickled objects.

        Raises
        ------
        InvalidInputError
            If the file cannot be written. There is then no file, or the old one.
        """
        arrays: dict[str, Any] = {name: getattr(self, name) for name in _PER_IMAGE | _PER_FILE}
        for item in fields(Condition):
            arrays[item.name] = np.array([getattr(condition, item.name) for condition in self.conditions])
        arrays["images"] = np.array(self.images, np.str_)
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)
        write_whole(path, file.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Rows:
        """Read a file from `save`.

        Raises
        ------
        InvalidInputError
            If the file cannot be read or has other content.
        """
        try:
            # zipfile reports clearly what is wrong with a file; numpy would take any other file for a pickle
            with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as file:
                content = dict(file.items())
            triples = zip(*(content[item.name].tolist() for item in fields(Condition)), strict=True)
            conditions = tuple(Condition(*triple) for triple in triples)
            arrays = {name: content[name] for name in _PER_IMAGE | _PER_FILE}
            return cls(conditions, tuple(content["images"].tolist()), **arrays)
        except OSError as error:
            raise InvalidInputError(f"cannot read {path}: {error.strerror or error}") from None
        except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise InvalidInputError(f"{path} holds no measured rows: {error}") from None
