"""How free ``optcodec encode`` is, and whom its files are made for: ``--effort``, ``--tune`` and ``--roi``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.cli.many import report_notices
from optcodec.cli.options import FILE_TARGETS, ExpertOption, one_of, profile_from, with_options
from optcodec.errors import InvalidInputError

if TYPE_CHECKING:
    from optcodec.blocks.field import QualityField
    from optcodec.targets import Target

__all__ = ["Tuned", "tuned", "tuning_options"]

_NETWORK = "dnn:"  # what the names of profiles follow
_METHODS_OF_PROFILES = ("rdopt", "opts")


def tuning_options(function: Any) -> Any:
    """Effort, tuning and region."""
    return with_options(
        function,
        click.option(
            "--effort",
            type=click.IntRange(1, 3),
            help="1: fixed tables. 2: designed tables. 3: designed tables and chosen coefficients (a trellis), for "
            "the smallest files.  [default: 1; with a target 2; with --tune or --roi 3]",
        ),
        click.option(
            "--tune",
            metavar="psnr|ssim|people|dnn:PROFILE",
            help="What files are made for, with --effort 3: a measure, people, or a network.  "
            "[default: the network of --profile, or psnr]",
        ),
        click.option(
            "--roi",
            type=click.Path(path_type=Path),
            metavar="MASK",
            help="Grey image of the size of the input: more quality where it is white, less where it is black.",
        ),
        click.option(
            "--roi-strength",
            cls=ExpertOption,
            type=float,
            metavar="X",
            help="What errors count in the white of the mask, where they count 1 in the black.  [default: 16]",
        ),
    )


@dataclass(frozen=True)
class Tuned:
    """What the options come to.

    Parameters
    ----------
    effort : int
        1..3.
    tune : str or None
        As ``--tune`` would say it; None where all errors count the same.
    settings : dict
        Arguments of `optcodec.encode`.
    """

    effort: int
    tune: str | None
    settings: dict[str, Any]

    @property
    def record(self) -> dict[str, Any]:
        """What ``--json`` says about it."""
        return {"effort": self.effort, "tune": self.tune}


def tuned(options: dict[str, Any], quality: int | None, target: Target | None) -> Tuned:
    """What effort, tuning, profile and region come to, for a quality or a target.

    Raises
    ------
    InvalidInputError
        If an option would have no effect, or the tuning, the profile or the mask is wrong.
    """
    measure, network = _tune(options["tune"])
    one_of({"--profile": options["profile"], "--tune dnn:PROFILE": network})
    effort = options["effort"] or _default_effort(options, target)
    _check_effort(effort, options, quality, target)
    if measure is not None:
        _check_needed(measure, options, target)
    profile = profile_from(network or options["profile"])
    if effort == 2 and target is None and quality is not None:
        from optcodec.targets import MatchQuality

        target = MatchQuality(quality, jointly=True)
        quality = None
    settings: dict[str, Any] = {"quality": quality, "target": target, "profile": None if target is None else profile}
    if profile is not None:
        settings["subsampling"] = profile.provenance.subsampling
    name = measure or (None if profile is None else f"{_NETWORK}{profile.name}")
    if effort == 3:
        from optcodec.blocks.encode import Rdo

        name = name or "psnr"
        settings["rdo"] = Rdo(tune=measure or profile or "psnr", field=_field(options), thorough=True)
    return Tuned(effort, name, settings)


def _tune(text: str | None) -> tuple[str | None, str | None]:
    """The measure, or the profile, that ``--tune`` names."""
    if text is None:
        return None, None
    if text.startswith(_NETWORK) and text != _NETWORK:
        return None, text.removeprefix(_NETWORK)
    from optcodec.blocks.tuning import TUNINGS

    if text not in TUNINGS:
        raise InvalidInputError(f"--tune is one of {', '.join(TUNINGS)} and dnn:PROFILE, got {text!r}")
    return text, None


def _default_effort(options: dict[str, Any], target: Target | None) -> int:
    if options["tune"] is not None or options["roi"] is not None:
        return 3
    return 1 if target is None else 2


def _check_effort(effort: int, options: dict[str, Any], quality: int | None, target: Target | None) -> None:
    """Refuse what an effort has no use for."""
    given = {name for name, value in options.items() if value is not None}
    tune, choosing = options["tune"], "is for choosing coefficients"
    wrong = {
        "--roi-strength needs --roi with a mask": "roi_strength" in given and "roi" not in given,
        f"--roi {choosing}; expected --effort 3, got {effort}": "roi" in given and effort < 3,
    }
    if effort == 1:
        fixed = "tables are fixed with --effort 1"
        wrong |= {
            f"{fixed}, --method designs them; expected --effort 2 or 3": "method" in given,
            f"{fixed}, so that no target can be met; expected --effort 2 or 3": target is not None,
            f"{fixed}, so that --tune {tune} can do nothing; expected --effort 3": tune is not None,
            f"--profile needs a target: {FILE_TARGETS}; or -q with --effort 2 or 3": "profile" in given,
        }
    elif effort == 2:
        measure = _tune(tune)[0]
        wrong |= {
            "--effort 2 designs tables, --tables brings them; expected --effort 1 or 3": "tables" in given,
            f"--tune {measure} {choosing}; expected --effort 3, or --tune dnn:PROFILE": measure is not None,
            "--effort 2 designs tables for -q/--quality or a target, got neither": quality is None and target is None,
        }
    else:
        exact = options["dct"] == "exact"
        wrong["--dct exact rounds coefficients before --effort 3 could choose; expected --dct float"] = exact
    for message, refused in wrong.items():
        if refused:
            raise InvalidInputError(message)


def _check_needed(measure: str, options: dict[str, Any], target: Target | None) -> None:
    """Refuse a profile where another tuning leaves nothing for it to weigh."""
    from optcodec.targets import MatchSwe, WaterLevel

    weighed = isinstance(target, (MatchSwe, WaterLevel)) or options["method"] in _METHODS_OF_PROFILES
    if options["profile"] is not None and not weighed:
        raise InvalidInputError(
            f"--profile has no effect with --tune {measure}; expected --tune dnn:PROFILE, --match-swe or --water-level"
        )


def _field(options: dict[str, Any]) -> QualityField | None:
    """Weights by the mask."""
    path: Path | None = options["roi"]
    if path is None:
        return None
    from optcodec.blocks.field import MASK_STRENGTH, QualityField
    from optcodec.pixels import load_picture

    picture = load_picture(path, background=options["background"])
    report_notices({notice: [path] for notice in picture.notices})
    mask = picture.pixels
    if mask.ndim == 3:
        if (mask != mask[..., :1]).any():
            raise InvalidInputError(f"{path}: a mask is a grey image, got one with colours")
        mask = mask[..., 0]
    strength = options["roi_strength"]
    return QualityField.from_mask(mask, strength=MASK_STRENGTH if strength is None else strength)
