"""Open the inputs of ``encode`` and ``design``: JPEG files as coefficients, all other images as pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from optcodec.batch.opening import Opening, open_image
from optcodec.batch.places import Place
from optcodec.batch.run import Failure
from optcodec.console.options import reading_of
from optcodec.console.streams import content_of

if TYPE_CHECKING:
    from optcodec.jpeg.image import CoefficientImage
    from optcodec.pictures.pixels import Picture

__all__ = ["ImageSet", "opening_of"]


def opening_of(options: dict[str, Any]) -> Opening:
    """Settings for opening inputs, from the options of a verb."""
    shared: dict[str, Any] = {name: options[name] for name in ("background", "max_pixels", "orient", "to_rgb")}
    size = options.get("short_side")  # which only the verb encode has
    return Opening(**shared | reading_of(options), decode=options["pixels"], short_side=size)


class ImageSet:
    """The images of a data set, opened anew in each iteration; images that cannot be read are skipped and recorded.

    Parameters
    ----------
    paths : sequence of Path, Url or Member
        The files.
    opening : Opening
        How they are opened.
    """

    def __init__(self, paths: Sequence[Place], opening: Opening) -> None:
        self._paths, self._opening = paths, opening
        self.failed: dict[Place, Failure] = {}
        self.noticed: dict[str, list[Place]] = {}

    def __iter__(self) -> Iterator[CoefficientImage | Picture]:
        for path in self._paths:
            if path in self.failed:
                continue
            try:
                image, notices, *_ = open_image(content_of(path), self._opening)
            except Exception as error:  # decoders raise almost anything for a damaged file
                self.failed[path] = Failure.of(path, error)
                continue
            for notice in notices:
                about = self.noticed.setdefault(notice, [])
                about.extend([path] * (path not in about))
            yield image
