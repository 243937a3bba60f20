"""What is done to an image when it is encoded: what is asked for, checked once, for one image or for many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optcodec.cached import cached_property
from optcodec.effort import Request
from optcodec.errors import TargetNotMetError
from optcodec.files import write_whole
from optcodec.form import Form, check_transcoding
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.jpeg.shown import shown_pixels
from optcodec.jpeg.sources import CoefficientSource, PixelSource
from optcodec.jpeg.tables import QuantTable, annex_k_tables
from optcodec.notices import ignore
from optcodec.pictures.pixels import ImageLike, decoded_pixels, load_picture
from optcodec.samplings import AUTO
from optcodec.targets import MatchSwe
from optcodec.values import Value

if TYPE_CHECKING:
    from optcodec.deprecated import Rdo
    from optcodec.loop.judge import Verdict

__all__ = ["DEFAULT_QUALITY", "EncodedJpeg", "Encoding"]

DEFAULT_QUALITY = 75


@dataclass(frozen=True)
class EncodedJpeg(Value):
    """A JPEG file in memory.

    Parameters
    ----------
    data : bytes
        The file.
    width, height : int
        Its size in pixels.
    loss : float, optional
        How much the reader minds it, where one is in the loop (effort 4); of several the sum, by their weights.
    losses : tuple of float, optional
        How much each reader minds it.
    subsampling : str, optional
        Its chroma subsampling, ``"grey"`` if there is one component.
    """

    data: bytes
    width: int
    height: int
    loss: float | None = field(default=None, kw_only=True)
    losses: tuple[float, ...] | None = field(default=None, kw_only=True)
    subsampling: str | None = field(default=None, kw_only=True)

    @property
    def nbytes(self) -> int:
        """Size of the file in bytes."""
        return len(self.data)

    @property
    def bpp(self) -> float:
        """Bits of the whole file, headers included, per pixel."""
        return 8 * self.nbytes / (self.width * self.height)

    def _repr_jpeg_(self) -> bytes:
        """What notebooks show."""
        return self.data

    def save(self, path: str | PathLike[str]) -> None:
        """Write the file; it appears when it is complete, or not at all.

        Raises
        ------
        InvalidInputError
            If it cannot be written.
        """
        write_whole(path, self.data)

    @cached_property
    def coefficients(self) -> CoefficientImage:
        """The quantized coefficients, read back from the file when first asked for."""
        return read_jpeg(self.data, max_pixels=None, notify=ignore)


@dataclass(frozen=True)
class Encoding:
    """What is done to an image; see `optcodec.encode`.

    Parameters
    ----------
    request : Request
        What is asked of the file.
    form : Form
        How it is written.
    opening : mapping
        `background`, `orient` and `to_rgb`: how pixels are loaded.
    chooses : bool
        Whether the chroma subsampling is chosen for each image, and is not that of the form.
    """

    request: Request
    form: Form
    opening: Mapping[str, Any]
    chooses: bool = False

    @classmethod
    def of(
        cls, requested: Request, form: dict[str, Any], opening: Mapping[str, Any], rdo: bool | Rdo | None
    ) -> Encoding:
        """Check the options of `optcodec.encode`, and fill in defaults that depend on others, also in `form`."""
        if rdo is not None:
            from optcodec.deprecated import request_of_rdo

            requested = request_of_rdo(rdo, requested)
        of_effort = {"dct": form["dct"], "huffman": form["huffman"]}
        request = requested.resolved(**of_effort)
        if form["progressive"] is None and request.effort == 3 and requested.is_size_alone(**of_effort):
            form["progressive"] = "smaller"
        chooses = form["subsampling"] == AUTO
        form["subsampling"] = (None if chooses else form["subsampling"]) or request.subsampling or "4:2:0"
        form["overshoot"] = form["overshoot"] and not isinstance(requested.target, MatchSwe)
        return cls(request, Form(**form), opening, chooses)

    def __call__(self, image: ImageLike | CoefficientImage) -> EncodedJpeg:
        """Encode an image."""
        source = self._source_of(image)
        try:
            data, verdict = _file(source, self.request)
        except TargetNotMetError as error:
            raise _with_hint(error, source, self.request) from None
        loss, losses = (None, None) if verdict is None else (verdict.loss, verdict.losses)
        return EncodedJpeg(data, *source.size, loss=loss, losses=losses, subsampling=source.sampling)

    def decoded(self, image: ImageLike | CoefficientImage) -> npt.NDArray[np.uint8]:
        """What libjpeg-turbo shows of the file of an image, RGB or grey; files that nothing depends on are not made."""
        source = self._source_of(image)
        tables = _fixed_tables(source, self.request)
        if isinstance(source, PixelSource) and tables is not None:
            return shown_pixels(source.quantized(tables))
        return decoded_pixels(_file(source, self.request)[0], "L" if source.sampling == "grey" else "RGB").copy()

    def _source_of(self, image: ImageLike | CoefficientImage) -> PixelSource | CoefficientSource:
        """What is coded: pixels, or coefficients."""
        if isinstance(image, CoefficientImage):
            check_transcoding(image, self.opening["orient"], self.opening["to_rgb"])
            source: PixelSource | CoefficientSource = self.form.of_coefficients(image)
        else:
            source = self.form.of_pixels(load_picture(image, **self.opening))
        if not self.chooses:
            return source
        from optcodec.subsampling import with_subsampling

        return with_subsampling(source, self.request, DEFAULT_QUALITY)


def _fixed_tables(source: PixelSource | CoefficientSource, request: Request) -> Sequence[QuantTable] | None:
    """The tables, where indices follow from nothing else: those of the source's file, or of a default quality, if none
    are asked for; None where effort or a target say more."""
    if request.target is not None or request.effort in (3, 4):
        return None
    if request.quality is not None:
        return annex_k_tables(request.quality)
    if request.tables is not None:
        return request.tables
    return source.image.tables if isinstance(source, CoefficientSource) else annex_k_tables(DEFAULT_QUALITY)


def _file(source: PixelSource | CoefficientSource, request: Request) -> tuple[bytes, Verdict | None]:
    """The file that is asked for, and what its readers say of it."""
    tables = _fixed_tables(source, request)
    if tables is not None:
        return source.encoded(tables), None
    if request.effort in (3, 4):
        return _chosen(source, request)
    from optcodec.designed import designed

    assert request.target is not None
    return designed(source, request.target, request.profile, request.tables or request.method), None


def _with_hint(
    error: TargetNotMetError, source: PixelSource | CoefficientSource, request: Request
) -> TargetNotMetError:
    """The error of a target that no file meets, with what may help: pixels lose most to the subsampling."""
    of_pixels = request.target is not None and request.target.needs_file
    if not of_pixels or isinstance(source, CoefficientSource) or source.sampling in ("grey", "4:4:4"):
        return error
    hinted = TargetNotMetError(f"{error}; this is with subsampling {source.sampling}, 4:4:4 may come nearer")
    hinted.nearest = error.nearest
    return hinted


def _chosen(source: PixelSource | CoefficientSource, request: Request) -> tuple[bytes, Verdict | None]:
    """The file whose indices a trellis or readers choose; see `_file`."""
    if request.quality is None and request.tables is None and request.target is None:
        if isinstance(source, CoefficientSource):
            request = replace(request, tables=source.image.tables)
        else:
            request = replace(request, quality=DEFAULT_QUALITY)
    if request.effort == 4:
        from optcodec.looped import looped

        file = looped(source, request)
        return file.data, file.verdict
    from optcodec.optimized import optimized

    return optimized(source, request), None
