"""``rdo=True`` and ``rdo=Rdo(...)``, which `optcodec.encode` took before it had `effort`, and what they mean today.

Their files keep their bytes, which are not always those of effort 3: without `Rdo.thorough` each component was coded by
itself even where the error of RGB counts. Today ``tune="ycbcr"`` does that, or a `Tuning` with ``of_rgb=False``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from optcodec.blocks.choice import BlockChoice
from optcodec.blocks.profile import UtilityProfile
from optcodec.effort import Request, check_tuning
from optcodec.errors import InvalidInputError
from optcodec.notices import warn_user
from optcodec.trellis.field import QualityField
from optcodec.trellis.tuning import Tuning, tuning_for
from optcodec.values import Value
from optcodec.vision.profile import SensitivityProfile

if TYPE_CHECKING:
    from optcodec.effort import Tune

__all__ = ["Rdo", "request_of_rdo"]


@dataclass(frozen=True, eq=False)
class Rdo(Value):
    """Deprecated: write ``effort=3``, and `tune`, `field` and `blocks` as arguments of `encode`.

    Parameters
    ----------
    tune, field, blocks
        As of `encode`.
    thorough : bool
        Whether luminance makes up for errors of chrominance, for tunings where the error of RGB counts. With
        ``effort=3`` it always does.

    Raises
    ------
    InvalidInputError
        If there is no such tuning, or the field is none.

    Warns
    -----
    DeprecationWarning
        Always.
    """

    tune: str | SensitivityProfile | UtilityProfile | Tuning | None = None
    field: QualityField | None = None
    blocks: BlockChoice | None = None
    thorough: bool = False

    def __post_init__(self) -> None:
        check_tuning(self.tune, self.field, self.blocks)
        advice = "write effort=3, tune, field and blocks as arguments of encode"
        warn_user(f"Rdo and thorough are deprecated; {advice}", DeprecationWarning)


def request_of_rdo(rdo: bool | Rdo, request: Request) -> Request:
    """Replace `rdo` by `effort`, `tune`, `field` and `blocks`, and warn the user.

    Raises
    ------
    InvalidInputError
        If `rdo` is something else, or the request has one of these four as well.
    """
    if not isinstance(rdo, (bool, Rdo)):
        raise InvalidInputError(f"rdo is True, False or an Rdo, got {rdo!r}; expected effort=3 in place of it")
    beside = [name for name in ("effort", "tune", "field", "blocks") if getattr(request, name) is not None]
    if beside:
        names = " and ".join(beside)
        raise InvalidInputError(f"rdo and {names} exclude one another; expected {names} alone, as rdo is deprecated")
    if rdo is False:
        warn_user("rdo is deprecated; leave out rdo=False", DeprecationWarning)
        return request
    options = (None, None, None, False) if rdo is True else (rdo.tune, rdo.field, rdo.blocks, rdo.thorough)
    tune, field, blocks, thorough = options
    tuned_for = replace(request, tune=tune, blocks=blocks).tuned_for
    exact = tuned_for if thorough else _by_components(tuned_for)
    advice = f"rdo is deprecated; write {_arguments(tune, field=field, blocks=blocks)}"
    if exact is not tuned_for:
        by_components = 'tune="ycbcr"' if tuned_for == "psnr" else "a tuning with of_rgb=False"
        advice += f"; or {by_components}, which is faster, for the same bytes as before"
    warn_user(advice, DeprecationWarning)
    # A name would say that a profile beside it has no effect, which used to be allowed.
    exact = tuning_for(exact) if isinstance(exact, str) else exact
    return replace(request, effort=3, tune=exact, field=field, blocks=blocks)


def _by_components(tune: Tune) -> Tune:
    """The same weights, for errors of the components and not those of RGB that they add up to."""
    tuning = tuning_for(tune)
    if not tuning.of_rgb:
        return tune
    tuning = replace(tuning, of_rgb=False)
    return replace(tune, tuning=tuning) if isinstance(tune, UtilityProfile) else tuning


def _arguments(tune: object, **places: object) -> str:
    """The arguments to write instead."""
    tuned = [f'tune="{tune}"'] if isinstance(tune, str) else ["tune=..."] if tune is not None else []
    return ", ".join(["effort=3", *tuned, *(f"{name}=..." for name, value in places.items() if value is not None)])
