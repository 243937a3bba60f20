"""Measured values of each image, sender, receiver and rate, and what could not be measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from optcodec.rates.rates import Rate

__all__ = ["Curve", "Failed", "Row"]


@dataclass(frozen=True)
class Curve:
    """What the points of a curve have in common.

    Parameters
    ----------
    sender, receiver : str
        Names of the encoder, and of what turns its files into pictures.
    sigma : float
        Standard deviation of the noise on the decoded pictures, in 8-bit units.
    """

    sender: str
    receiver: str
    sigma: float

    def __str__(self) -> str:
        noise = f", sigma {self.sigma:g}" if self.sigma else ""
        return f"{self.sender} -> {self.receiver}{noise}"


@dataclass(frozen=True)
class Row:
    """The measurements of one picture.

    Parameters
    ----------
    set, image : str
        Name of the set, and of the file in it.
    curve : Curve
        Sender, receiver and noise.
    rate : Rate
        What the file aims at.
    nbytes : int
        Bytes of the whole file.
    bpp : float
        Bits of the whole file per pixel.
    measures : mapping of str to float
        Values by name of the measure; PSNR is infinite where the pictures are equal.
    """

    set: str
    image: str
    curve: Curve
    rate: Rate
    nbytes: int
    bpp: float
    measures: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """A record for JSON; infinite values become None."""
        measures = {name: value if math.isfinite(value) else None for name, value in self.measures.items()}
        record = {"set": self.set, "image": self.image, **asdict(self.curve), "rate": self.rate.to_json()}
        return record | {"nbytes": self.nbytes, "bpp": self.bpp, "measures": measures}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Row:
        """The row of a record from `to_json`."""
        measures = {name: math.inf if value is None else value for name, value in record["measures"].items()}
        curve = Curve(record["sender"], record["receiver"], record["sigma"])
        return cls(
            record["set"], record["image"], curve, Rate(**record["rate"]), record["nbytes"], record["bpp"], measures
        )


@dataclass(frozen=True)
class Failed:
    """What could not be measured, and why.

    Parameters
    ----------
    set, image : str or None
        Of the picture; None where it is not that of one picture.
    subject : str or None
        The sender or receiver, and the rate; None where the picture itself cannot be used.
    reason : str
        One line.
    """

    set: str | None
    image: str | None
    subject: str | None
    reason: str

    def to_json(self) -> dict[str, Any]:
        """As in the result."""
        return asdict(self)
