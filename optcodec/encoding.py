"""What is done to an image when it is encoded: what is asked for, checked once, for one image or for many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import TYPE_CHECKING, Any

from optcodec.cached import cached_property
from optcodec.effort import Request
from optcodec.files import write_whole
from optcodec.form import Form, check_transcoding
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.jpeg.sources import CoefficientSource, PixelSource
from optcodec.jpeg.tables import annex_k_tables
from optcodec.notices import ignore
from optcodec.pictures.pixels import ImageLike, load_picture
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
        if self.chooses:
            from optcodec.subsampling import with_subsampling

            source = with_subsampling(source, self.request, DEFAULT_QUALITY)
        data, verdict = _file(source, self.request)
        loss, losses = (None, None) if verdict is None else (verdict.loss, verdict.losses)
        return EncodedJpeg(data, *source.size, loss=loss, losses=losses, subsampling=source.sampling)

    def _source_of(self, image: ImageLike | CoefficientImage) -> PixelSource | CoefficientSource:
        """What is coded: pixels, or coefficients."""
        if isinstance(image, CoefficientImage):
            check_transcoding(image, self.opening["orient"], self.opening["to_rgb"])
            return self.form.of_coefficients(image)
        return self.form.of_pixels(load_picture(image, **self.opening))


def _file(source: PixelSource | CoefficientSource, request: Request) -> tuple[bytes, Verdict | None]:
    """The file that is asked for, and what its readers say of it; with the tables of the source's file, or of a default
    quality, if nothing else is."""
    quality, tables = request.quality, request.tables
    if quality is None and tables is None and request.target is None:
        if isinstance(source, CoefficientSource):
            tables = source.image.tables
        else:
            quality = DEFAULT_QUALITY
    if request.effort == 4:
        from optcodec.looped import looped

        file = looped(source, replace(request, quality=quality, tables=tables))
        return file.data, file.verdict
    if request.effort == 3:
        from optcodec.optimized import optimized

        return optimized(source, replace(request, quality=quality, tables=tables)), None
    if request.target is not None:
        from optcodec.designed import designed

        return designed(source, request.target, request.profile, tables or request.method), None
    default = annex_k_tables(DEFAULT_QUALITY if quality is None else quality)
    return source.encoded(default if tables is None else tables), None
