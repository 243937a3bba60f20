"""Ways to code a picture that are tried: methods, each with a chroma subsampling and a resolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from optcodec.blocks.choice import blocks_by
from optcodec.cached import cached_property
from optcodec.encoder import EncodedJpeg, encoding
from optcodec.encoding import Encoding
from optcodec.loop.reader import Reader
from optcodec.pictures.pixels import Picture
from optcodec.pictures.resizing import shrunk
from optcodec.vision.profile import SensitivityProfile

__all__ = ["DEFAULT_JPEG", "Setting", "Way", "choosing_way", "network_ways", "profile_ways", "psnr_way"]


CROP = "crop:224/256"  # that of most classifiers, see `optcodec.blocks_by`


@dataclass(frozen=True, eq=False)
class Way:
    """A method of the encoder, which takes a quality.

    Parameters
    ----------
    name : str
        As it is shown.
    options : mapping of str
        As options of ``optcodec encode``, see `optcodec.fit.plan.Plan`.
    arguments : mapping of str
        The same, as arguments of `optcodec.encode`.
    subsampling : str, optional
        The only chroma subsampling that it is for.
    is_loop : bool
        Whether a network reads each file while it is made, which takes seconds.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    subsampling: str | None = None
    is_loop: bool = False


DEFAULT_JPEG = Way("default JPEG")


def psnr_way() -> Way:
    """Least squared error by a trellis: no network."""
    return Way("psnr with trellis", {"tune": "psnr"}, {"tune": "psnr"})


def profile_ways(
    name: str, profile: SensitivityProfile, *, tables: bool = True, trellis: bool = True, crop: bool = True
) -> list[Way]:
    """Tables for a profile, without and with a trellis, at the chroma subsampling that it was measured at.

    Parameters
    ----------
    name : str
        Of the profile, or of its file.
    profile : SensitivityProfile
        The profile.
    tables, trellis, crop : bool
        Which: tables alone; with a trellis; and with one that leaves out what classifiers mostly crop away.
    """
    label, sampling = f"dnn:{profile.name}", profile.provenance.subsampling
    ways = []
    if tables:
        options = {"effort": 2, "profile": name}
        ways.append(Way(label, options, options | {"profile": profile}, sampling))
    if trellis:
        ways.append(Way(f"{label} with trellis", {"tune": f"dnn:{name}"}, {"tune": profile}, sampling))
    if crop:
        named = {"tune": f"dnn:{name}", "blocks": CROP}
        ways.append(Way(f"{label} for a crop", named, {"tune": profile, "blocks": blocks_by(CROP)}, sampling))
    return ways


def network_ways(
    reader: Reader, profile: SensitivityProfile | None, options: Mapping[str, Any], rounds: Sequence[int | None]
) -> list[Way]:
    """A network in the loop.

    Parameters
    ----------
    reader : Reader
        The network.
    profile : SensitivityProfile or None
        What files start from, at the chroma subsampling that it was measured at; None for least squared error, at any.
    options : mapping of str
        Name and weights of the network, as options of ``optcodec encode``, and ``tune`` unless the profile is its
        default.
    rounds : sequence of int or None
        Numbers of gradients for each file; None for the usual one.
    """
    arguments: dict[str, Any] = {"reader": reader, "tune": profile or "psnr"}
    sampling = None if profile is None else profile.provenance.subsampling
    ways = []
    for count in rounds:
        counted: dict[str, Any] = {} if count is None else {"rounds": count}
        name = "network weighs blocks" if count == 0 else "network in the loop"
        ways.append(Way(name, {**options, **counted}, arguments | counted, sampling, is_loop=True))
    return ways


def choosing_way(reader: Reader, profile: SensitivityProfile | None, options: Mapping[str, Any]) -> Way:
    """A network without gradients, which chooses among whole files; arguments as of `network_ways`."""
    (way,) = network_ways(reader, profile, options, [None])
    return replace(way, name="network chooses files")


@dataclass(frozen=True, eq=False)
class Setting:
    """A way to code pictures, with all that is chosen besides the quality.

    Parameters
    ----------
    way : Way
        The method.
    subsampling : str
        Chroma subsampling.
    short_side : int, optional
        Length in pixels of the shorter side, to which larger pictures are reduced; None for pictures as they are.
    """

    way: Way
    subsampling: str = "4:2:0"
    short_side: int | None = None

    @property
    def name(self) -> str:
        """As it is shown."""
        size = "" if self.short_side is None else f"short side {self.short_side}, "
        return f"{self.subsampling}, {size}{self.way.name}"

    @property
    def is_plain(self) -> bool:
        """Whether it is default JPEG at 4:2:0 in full size, with which all else is compared."""
        return self.way is DEFAULT_JPEG and self.subsampling == "4:2:0" and self.short_side is None

    def options(self, quality: int) -> dict[str, Any]:
        """Options of ``optcodec encode``."""
        size = {} if self.short_side is None else {"short_side": self.short_side}
        return {"quality": quality, "subsampling": self.subsampling} | size | dict(self.way.options)

    def encoded(self, picture: Picture, quality: int) -> EncodedJpeg:
        """The file of a picture."""
        if self.short_side is not None:
            picture = shrunk(picture, self.short_side)
        if quality not in self._encodings:
            form = {"quality": quality, "subsampling": self.subsampling, "threads": 1}
            self._encodings[quality] = encoding(**form, **self.way.arguments)
        return self._encodings[quality](picture)

    @cached_property
    def _encodings(self) -> dict[int, Encoding]:
        """What is done to pictures, by quality: checked once."""
        return {}
