"""Butteraugli: how visible the differences of two pictures are, by a program of libjxl, as no Python package has it.

Alakuijala et al., "Guetzli: perceptually guided JPEG encoder", arXiv:1703.04421, 2017, section 3; what is measured is
what libjxl has made of it since (lib/jxl/butteraugli, lib/extras/metrics.cc).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.lines import Candidate, Goal
from optcodec.matching import Target, TargetLine, decoded_distance, file_goal
from optcodec.metrics import check_pixels, check_sides, png_files
from optcodec.scalars import real_number

__all__ = ["MatchButteraugli", "Visibility", "find_program", "visibility"]

C = TypeVar("C", bound=Candidate)
Pixels = npt.NDArray[np.uint8]

_PROGRAM, _VARIABLE = "butteraugli_main", "OPTCODEC_BUTTERAUGLI"
_LEAST_SIDE = 8  # pixels: the program takes smaller pictures for equal
_PRINTED = re.compile(r"\s*([0-9.eE+-]+)\s*\n3-norm: ([0-9.eE+-]+)")


class Visibility(NamedTuple):
    """Distances of two pictures, 0 if they are equal.

    Parameters
    ----------
    largest : float
        Butteraugli's distance: that of the place where the difference is seen best. Below 1, it is hardly seen.
    norm_3 : float
        The mean of the norms of the powers 3, 6 and 12 of all places.
    """

    largest: float
    norm_3: float


def find_program() -> str:
    """Path of the program: what the variable ``OPTCODEC_BUTTERAUGLI`` names, or else ``butteraugli_main`` on the PATH.

    Raises
    ------
    InvalidInputError
        If there is none.
    """
    named = os.environ.get(_VARIABLE)
    program = shutil.which(named or _PROGRAM)
    if program is None:
        where = f"{_VARIABLE} names {named}, which is no program" if named else f"there is no {_PROGRAM} on the PATH"
        raise InvalidInputError(
            f"butteraugli is measured by a program of libjxl, and {where}: install it (for Debian and Ubuntu, it is in "
            f"libjxl-devtools), or let {_VARIABLE} name it"
        )
    return program


def visibility(reference: Pixels, test: Pixels, *, program: str | None = None) -> Visibility:
    """Butteraugli of two pictures as sRGB, on a screen of 80 nits.

    Parameters
    ----------
    reference, test : ndarray of uint8, shape (H, W, 3) or (H, W)
        Original and coded picture, of equal shape.
    program : str, optional
        Path of ``butteraugli_main``; by default that of `find_program`.

    Raises
    ------
    InvalidInputError
        If the pictures have fewer than 8 pixels on a side, or the program is missing or fails.
    """
    check_pixels(reference, test)
    check_sides(reference, _LEAST_SIDE, "butteraugli")
    program = program or find_program()
    with png_files(reference, test) as paths:
        try:
            done = subprocess.run([program, *paths], capture_output=True, text=True, check=False)
        except OSError as error:
            raise InvalidInputError(f"cannot run {program}: {error.strerror}") from None
    found = _PRINTED.match(done.stdout)
    if done.returncode or found is None:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise InvalidInputError(f"expected two distances of {program}, got status {done.returncode} and: {said}")
    return Visibility(float(found[1]), float(found[2]))


@dataclass(frozen=True)
class MatchButteraugli(Target):
    """A distance of the decoded image by butteraugli: the smallest file that has at most so much.

    Parameters
    ----------
    distance : float
        Above 0, the distance of equal images. At 1, the place where the difference is seen best is hardly seen; at 3,
        it is plain. It is that of what libjpeg-turbo decodes, and takes a second or so for each of some ten files a
        megapixel. The program ``butteraugli_main`` of libjxl measures it, which has to be installed; the environment
        variable ``OPTCODEC_BUTTERAUGLI`` may name it.
    """

    distance: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "distance", real_number(self.distance, "a distance of butteraugli"))

    needs_file: ClassVar[bool] = True

    def is_kept(self, reference: Pixels, test: Pixels) -> bool:
        """Whether a picture has this distance at most."""
        return visibility(reference, test).largest <= self.distance

    def goals(self, line: TargetLine[C]) -> tuple[Goal, ...]:
        """The distance."""
        distance = decoded_distance(line.reference(), lambda one, other: visibility(one, other).largest)
        return (file_goal(line, distance, self.distance, f"{self}: butteraugli"),)
