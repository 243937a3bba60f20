"""Estimate the sensitivity of a model on a folder of images, for ``optcodec sensitivity``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from optcodec.errors import InvalidInputError
from optcodec.limits import MAX_PIXELS
from optcodec.vision.datasets import LabelledImage, batches, find_images, sample
from optcodec.vision.estimate import estimate_sensitivity
from optcodec.vision.profile import SensitivityProfile

if TYPE_CHECKING:
    from PIL import Image

    from optcodec.vision.models import TargetModel

__all__ = [
    "ImageSample",
    "check_class_folders",
    "check_classes",
    "drawn_images",
    "sensitivity_of",
    "with_provenance",
]


@dataclass(frozen=True)
class ImageSample:
    """The images of an estimate, and how they are read.

    Parameters
    ----------
    folder : str or path
        Folder of images.
    labels : str or path
        ``"folders"``, ``"self"`` or a CSV file, see `optcodec.vision.datasets.find_images`.
    images : int, optional
        Number of images to draw; None for all.
    seed : int
        Seed of the draw, see `optcodec.vision.datasets.sample`.
    batch : int
        Images in a batch for the model. It limits the memory, and changes results by rounding only.
    max_pixels : int or None
        Images with more pixels are treated as unreadable; None allows every size.
    """

    folder: str | Path
    labels: str | Path = "folders"
    images: int | None = None
    seed: int = 0
    batch: int = 16
    max_pixels: int | None = MAX_PIXELS


def sensitivity_of(
    target: TargetModel,
    survey: ImageSample,
    *,
    subsampling: str = "4:4:4",
    quality: int | None = None,
    until_stderr: float | None = None,
    dtype: str = "float32",
    progress: Callable[[int, float], None] | None = None,
    on_unreadable: Callable[[Path, str], None] | None = None,
) -> SensitivityProfile:
    """Estimate the sensitivity profile of a classifier from a folder of images.

    Parameters
    ----------
    target : TargetModel
        See `optcodec.vision.models.load_model`.
    survey : ImageSample
        The images.
    subsampling, quality, until_stderr, dtype, progress
        As in `optcodec.vision.estimate.estimate_sensitivity`.
    on_unreadable : callable, optional
        As in `optcodec.vision.datasets.batches`.

    Returns
    -------
    SensitivityProfile
        Named after the model, with complete provenance.

    Raises
    ------
    InvalidInputError
        If the model, the images and the labels do not fit together, or an option is wrong.
    """
    drawn = drawn_images(target, survey)
    profile = estimate_sensitivity(
        target.module,
        batches(drawn, target.preprocess, size=survey.batch, on_unreadable=on_unreadable, max_pixels=survey.max_pixels),
        subsampling=subsampling,
        quality=quality,
        until_stderr=until_stderr,
        dtype=dtype,
        progress=progress,
    )
    return with_provenance(profile, target, survey)


def drawn_images(target: TargetModel, survey: ImageSample) -> list[LabelledImage]:
    """The images of a survey, in the order in which they are measured.

    Raises
    ------
    InvalidInputError
        If there are none, or they do not fit the model.
    """
    labelled = find_images(survey.folder, survey.labels)
    if survey.labels == "folders":
        check_classes(target, {image.path.relative_to(survey.folder).parts[0] for image in labelled})
    return sample(labelled, survey.images, seed=survey.seed)


def with_provenance(profile: SensitivityProfile, target: TargetModel, survey: ImageSample) -> SensitivityProfile:
    """The profile, named after the model, with what is known of its weights and of the images."""
    about = replace(
        profile.provenance,
        model=target.name,
        weights_sha256=target.weights_sha256,
        data=Path(survey.folder).resolve().name,
        labels=survey.labels if survey.labels in ("self", "folders") else Path(survey.labels).name,
        seed=survey.seed,
    )
    return replace(profile, name=target.name, provenance=about)


def check_classes(target: TargetModel, folders: set[str]) -> None:
    """Raise `InvalidInputError` if the number of class folders is not the number of the model's classes.

    Parameters
    ----------
    target : TargetModel
        See `optcodec.vision.models.load_model`.
    folders : set of str
        Names of the folders. If all are numbers, they are class indices, and nothing is checked.
    """

    def outputs(blank: Image.Image) -> tuple[int, ...]:
        import torch

        batch = target.preprocess(blank)[None].float()
        like = next(target.module.parameters(), batch)
        with torch.no_grad():
            return tuple(target.module.eval()(batch.to(like.device, like.dtype)).shape)

    check_class_folders(target.name, folders, outputs)


def check_class_folders(name: str, folders: set[str], outputs: Callable[[Image.Image], tuple[int, ...]]) -> None:
    """As `check_classes`, for any network.

    Parameters
    ----------
    name : str
        Name of the network, for the message.
    folders : set of str
        Names of the folders.
    outputs : callable
        The shape (1, classes) of what the network gives for an RGB image; called only if the names are not numbers.
    """
    from PIL import Image

    if all(folder.isascii() and folder.isdigit() for folder in folders):
        return
    shape = outputs(Image.new("RGB", (256, 256)))
    if shape[1:] != (len(folders),):
        raise InvalidInputError(
            f"expected one folder for each class of {name}, whose output has shape {shape}; found "
            f"{len(folders)} folders: name them by class index, or give the labels in a CSV file"
        )
