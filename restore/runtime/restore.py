"""Restore an image in memory by one call: a JPEG file, or the pixels of a decoded picture."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from optcodec import MAX_PIXELS, InvalidInputError, load_picture, upright
from optcodec.shared import check_orient
from restore.runtime.decode import receive
from restore.runtime.infer import restored_image
from restore.runtime.models import Model, load_model
from restore.runtime.picture import noisy_picture
from restore.runtime.settings import Settings, Strength, earlier_finder, known_steps

__all__ = ["restore_image", "restore_pixels"]


def restore_image(
    data: bytes,
    *,
    model: str | os.PathLike[str] | Model = "default",
    project: bool = True,
    threads: int | None = None,
    tile: int = Settings.tile,
    strength: Strength = 1.0,
    as_quality: int | Literal["auto"] | None = None,
    as_tables: str | os.PathLike[str] | None = None,
    max_pixels: int | None = MAX_PIXELS,
    orient: Literal["keep", "apply"] = "keep",
    hint: bool = True,
) -> npt.NDArray[np.uint8]:
    """Decode a JPEG file and reduce the errors of its quantization with a neural network.

    Parameters
    ----------
    data : bytes
        The whole JPEG file, gray or YCbCr.
    model : str, path or Model
        Name of a shipped model, the .json file of another one, or the result of `load_model`.
    project : bool
        Clip restored luminance, and chrominance where it is not subsampled, to the quantization intervals of the file.
        They are wider where its coefficients show that the encoder chose them and did not round to nearest.
    threads : int, optional
        Maximum number of threads; by default one for each processor. Must be None with a loaded `Model`, which has its
        own number.
    tile : int
        Side of the square tiles that are restored one by one, in pixels, a multiple of 16. The result is the same for
        every size.
    strength : float, "people" or "dnn"
        Share of the change that is made, 0..1: 0 gives the decoded image; or who sees the image. For people it is 1;
        for networks a half, or a quarter of files that are hardly coarse, see `restore.runtime.settings.Settings`.
    as_quality : int or "auto", optional
        Quality of an earlier, coarser coding whose errors are to be restored, too; "auto" searches the coefficients for
        signs of one.
    as_tables : path, optional
        A file with the quantization tables of an earlier coding, instead of its quality.
    max_pixels : int or None
        Images with more pixels are refused before memory is allocated for them; None allows every size.
    orient : {"keep", "apply"}
        "keep" returns the pixels as the file stores them, "apply" turned upright by the orientation in its Exif.
    hint : bool
        Use the hint that `add_hint` left in the file for this model. It is for a restoration with `project` and without
        an earlier coding; in others it is not used.

    Returns
    -------
    ndarray of uint8, shape (height, width) or (height, width, 3)
        Gray or RGB.

    Raises
    ------
    InvalidInputError
        If an argument is out of range, there is no such model, its files are damaged, or ONNX Runtime is missing.
    MalformedJpegError, UnsupportedJpegError
        If the file breaks T.81, or is neither gray nor YCbCr.
    """
    if isinstance(model, Model) and threads is not None:
        raise InvalidInputError(f"a loaded model has its threads already, got threads={threads}; expected None")
    check_orient(orient)
    settings = Settings(project, strength, tile=tile, hint=hint)
    find_earlier = earlier_finder(as_quality, as_tables)
    received = receive(data, max_pixels=max_pixels)
    settings = replace(settings, earlier=find_earlier(received))
    loaded = model if isinstance(model, Model) else load_model(model, threads=threads)
    pixels = restored_image(received, loaded, settings)
    return upright(pixels, received.metadata)[0] if orient == "apply" else pixels


def restore_pixels(
    pixels: npt.NDArray[np.uint8],
    *,
    sigma: float | Literal["auto"],
    model: str | os.PathLike[str] | Model = "noise",
    as_quality: int | None = None,
    as_tables: str | os.PathLike[str] | None = None,
    strength: Strength = 1.0,
    threads: int | None = None,
    tile: int = Settings.tile,
) -> npt.NDArray[np.uint8]:
    """Reduce noise and the errors of JPEG coding in a decoded picture that is no JPEG file any more.

    The channel is y = C_Q(x) + n: coding as JPEG, decoding, and Gaussian noise.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width) or (height, width, 3)
        Gray or RGB. The first block of the former JPEG file begins at the first row and column.
    sigma : float or "auto"
        Standard deviation of the noise in luminance, in units of 8-bit samples; "auto" estimates it, see
        `restore.runtime.noise.estimate_sigma`. Independent noise of a standard deviation of 1 in R, G and B has one of
        0.67 in luminance.
    model : str, path or Model
        Name of a shipped model, the .json file of another one, or the result of `load_model`; trained for noise.
    as_quality : int, optional
        Quality of the JPEG coding, 1..100, if it is known.
    as_tables : path, optional
        A file with the quantization tables of the JPEG coding, instead of its quality.
    strength, threads, tile
        As for `restore_image`.

    Returns
    -------
    ndarray of uint8
        Of the same shape.

    Raises
    ------
    InvalidInputError
        If an argument is out of range, there is no such model, it was not trained for such noise, its files are
        damaged, or ONNX Runtime is missing.
    """
    if isinstance(model, Model) and threads is not None:
        raise InvalidInputError(f"a loaded model has its threads already, got threads={threads}; expected None")
    settings = Settings(strength=strength, tile=tile)
    picture = noisy_picture(load_picture(pixels), sigma, known_steps(as_quality, as_tables))
    loaded = model if isinstance(model, Model) else load_model(model, threads=threads)
    return restored_image(picture, loaded, settings)
