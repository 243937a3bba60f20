"""Measured values of each image, sender, receiver and rate, and what could not be measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from optcodec.jsontext import finite
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

    @property
    def behind(self) -> str:
        """The receiver, and the noise in front of it."""
        return f"{self.receiver}, sigma {self.sigma:g}" if self.sigma else self.receiver

    def __str__(self) -> str:
        return f"{self.sender} -> {self.behind}"


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
        measures = {name: finite(value) for name, value in self.measures.items()}
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
    reason : str
        One line.
    set, image : str, optional
        Of the picture; None where it is not that of one picture.
    sender, receiver : str, optional
        What failed; None where the picture itself cannot be used.
    rate : Rate, optional
        At which it failed.
    """

    reason: str
    set: str | None = None
    image: str | None = None
    sender: str | None = None
    receiver: str | None = None
    rate: Rate | None = None

    def to_json(self) -> dict[str, Any]:
        """A record for JSON."""
        return asdict(self) | {"rate": None if self.rate is None else self.rate.to_json()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Failed:
        """The value of a record from `to_json`."""
        rate = None if record["rate"] is None else Rate(**record["rate"])
        return cls(**{**record, "rate": rate})
