"""What files of several senders have in common: their size, their likeness to the original, or their quality factor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from optcodec.errors import InvalidInputError
from optcodec.matching import Target
from optcodec.scalars import real_number
from optcodec.targets import Bpp, MatchPsnr, MatchSsim, MaxBytes, Quality

__all__ = ["KINDS", "Rate"]

KINDS = {
    "bpp": "{value:g} bpp",
    "bytes": "bytes of quality {value:g}",
    "psnr": "{value:g} dB",
    "ssim": "SSIM {value:g}",
    "quality": "quality {value:g}",
}
_OF_QUALITY = ("bytes", "quality")


@dataclass(frozen=True)
class Rate:
    """A point of every curve.

    Parameters
    ----------
    kind : {"bpp", "bytes", "psnr", "ssim", "quality"}
        ``bpp``: of each image the best file of at most so many bits per pixel. ``bytes``: the best one that is no
        larger than the file of a reference sender at a quality factor. ``psnr``, ``ssim``: the smallest file whose
        decoded picture has at least this PSNR of RGB in dB, or SSIM of luminance. ``quality``: the file of a quality
        factor, whatever its size.
    value : float
        Bits per pixel; a quality factor 1..100; dB; SSIM below 1.

    Raises
    ------
    InvalidInputError
        If there is no such kind, or it has no such value.
    """

    kind: str
    value: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidInputError(f"a kind of rate is one of {', '.join(KINDS)}; got {self.kind!r}")
        value = real_number(self.value, f"a value of {self.kind}")
        object.__setattr__(self, "value", float(value))
        self.target(1, lambda: 1)  # refuses values that the target does not have

    def __str__(self) -> str:
        return KINDS[self.kind].format(value=self.value)

    def target(self, pixels: int, reference: Callable[[], int]) -> Target:
        """The target of a picture.

        Parameters
        ----------
        pixels : int
            Number of its pixels.
        reference : callable
            Gives the bytes of the file of the reference sender at this quality factor; asked for ``bytes`` only.
        """
        if self.kind in _OF_QUALITY:
            quality = Quality(int(self.value) if self.value == int(self.value) else self.value)  # type: ignore[arg-type]
            return MaxBytes(reference()) if self.kind == "bytes" else quality
        if self.kind == "bpp":
            return MaxBytes(Bpp(self.value).budget(pixels))
        return MatchPsnr(self.value) if self.kind == "psnr" else MatchSsim(self.value)

    def to_json(self) -> dict[str, Any]:
        """As in the rows and points of a result."""
        return {"kind": self.kind, "value": self.value}
