"""Conditions of an experiment: a method that makes files, and the setting and level of its target."""

from __future__ import annotations

from dataclasses import dataclass

from optcodec.errors import InvalidInputError
from optcodec.scalars import real_number

__all__ = ["SETTINGS", "TRELLIS", "Condition"]

TRELLIS = "rdo"  # method, or suffix of a method, with indices chosen by a trellis

SETTINGS = ("fixed", "1", "1-joint", "2", "2-joint", "bytes")
_OF_QUALITY = ("1", "1-joint", "bytes")


@dataclass(frozen=True)
class Condition:
    """One point of a rate-accuracy curve.

    Parameters
    ----------
    method : str
        A method of `optcodec.design_tables` (``"jpeg"``, ``"opts"``, ...), which a distortion model may follow
        (``"opts:laplacian"``). ``"rdo"``: tables and indices by a trellis with the weights of the profile;
        ``"opts+rdo"``: tables of a method, and indices by a trellis. Or the name of another encoder, such as
        ``"mozjpeg"``.
    setting : str
        What is equal for all methods. ``"fixed"``: nothing; the level is passed to the method. ``"1"``: the SWE of
        default JPEG at a quality factor. ``"2"``: the SWE of OptS at a water level. ``"bytes"``: at most the bytes of
        default JPEG for the same image at a quality factor. In ``"1"`` and ``"2"``, as in the OptS paper, luminance and
        chrominance are matched separately; in ``"1-joint"`` and ``"2-joint"`` their sum is matched.
    level : float
        ``"fixed"``: a water level (opts, optd), or a quality factor. ``"1"``, ``"1-joint"``, ``"bytes"``: a quality
        factor 1..100. ``"2"``, ``"2-joint"``: a water level above 0.
    """

    method: str
    setting: str
    level: float

    def __post_init__(self) -> None:
        if not isinstance(self.method, str) or not self.method:
            raise InvalidInputError(f"a method has a name, such as 'opts' or 'opts:laplacian'; got {self.method!r}")
        if self.setting not in SETTINGS:
            raise InvalidInputError(f"a setting is one of {', '.join(SETTINGS)}; got {self.setting!r}")
        level = real_number(self.level, "a level")
        if self.setting in _OF_QUALITY and not (level == int(level) <= 100):
            raise InvalidInputError(f"levels of setting {self.setting} are quality factors in 1..100, got {level!r}")
        object.__setattr__(self, "level", float(level))

    def __str__(self) -> str:
        return f"{self.method}, setting {self.setting}, level {self.level:g}"
