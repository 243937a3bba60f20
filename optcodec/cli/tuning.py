"""Options for effort, tuning, region of interest and blocks, and the arguments of `optcodec.encode` that they set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.console.many import report_notices
from optcodec.console.options import FILE_TARGETS, ExpertOption, one_of, profile_from, with_options
from optcodec.errors import InvalidInputError

if TYPE_CHECKING:
    from optcodec.blocks.choice import BlockChoice
    from optcodec.blocks.profile import UtilityProfile
    from optcodec.targets import Target
    from optcodec.trellis.field import QualityField

__all__ = ["EncodeSettings", "block_options", "tune_option", "tuned", "tuning_options"]

_NETWORK, _RECEIVER, _QPNET = "dnn:", "receiver:", "qpnet:"  # prefixes of names of profiles
_METHODS_OF_PROFILES = ("rdopt", "opts")


tune_option = click.option(
    "--tune",
    metavar="psnr|ssim|people|dnn:PROFILE|receiver:NET",
    help="What --effort 3 optimizes for: a measure (psnr, ssim), people, a network (dnn), or a receiver that restores "
    "images.  [default: the network of --profile, the receiver of --blocks, or psnr]",
)


def tuning_options(function: Any) -> Any:
    """Add the options for effort, tuning, region of interest and blocks to a command."""
    return with_options(
        block_options(function),
        click.option(
            "--effort",
            type=click.IntRange(1, 3),
            help="1: fixed tables. 2: designed tables. 3: designed tables and optimized coefficients (a trellis), "
            "for the smallest files.  [default: 1; with a target 2; with --tune, --roi or --blocks 3]",
        ),
        tune_option,
        click.option(
            "--roi",
            type=click.Path(path_type=Path),
            metavar="MASK",
            help="Region of interest, with --effort 3: a grey image of the same size as the input after --orient; "
            "more quality where it is white, less where it is black.",
        ),
        click.option(
            "--roi-strength",
            cls=ExpertOption,
            type=float,
            metavar="X",
            help="Weight of errors where the mask is white; it is 1 where the mask is black.  [default: 16]",
        ),
    )


def block_options(function: Any) -> Any:
    """Add the options for the weights of blocks to a command."""
    return with_options(
        function,
        click.option(
            "--blocks",
            metavar="qpnet:NET|x264|libwebp",
            help="How blocks share the bits, with --effort 3: by the gain of a network that restores images (qpnet), "
            "or by their variance, as the named codec does.",
        ),
        click.option(
            "--allocator",
            cls=ExpertOption,
            type=click.Choice(["exchange", "accelir", "lagrangian", "uniform"]),
            help="How qpnet:NET sets the weights of blocks: by the share of the error that stays after restoration "
            "(exchange), or by sharing --bpp or --max-bytes among blocks (all others).  [default: exchange]",
        ),
    )


@dataclass(frozen=True)
class EncodeSettings:
    """Effort and tuning after all defaults are filled in, and the arguments of `optcodec.encode` for them.

    Parameters
    ----------
    effort : int
        1..3.
    tune : str or None
        In the syntax of ``--tune``; None if all errors have the same weight.
    blocks, allocator : str or None
        In the syntax of ``--blocks`` and ``--allocator``.
    settings : dict
        Arguments of `optcodec.encode`.
    """

    effort: int
    tune: str | None
    blocks: str | None
    allocator: str | None
    settings: dict[str, Any]

    @property
    def record(self) -> dict[str, Any]:
        """The fields for ``--json``."""
        return {"effort": self.effort, "tune": self.tune, "blocks": self.blocks, "allocator": self.allocator}


def tuned(options: dict[str, Any], quality: int | None, target: Target | None) -> EncodeSettings:
    """Check the options for effort, tuning, profile, region and blocks, and fill in their defaults.

    Raises
    ------
    InvalidInputError
        If an option would have no effect, or the tuning, the profile, the mask or the blocks are wrong.
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
    name = measure or (None if profile is None else f"{_NETWORK}{profile.name}")
    if profile is not None:
        settings["subsampling"] = profile.provenance.subsampling
    if effort < 3:
        return EncodeSettings(effort, name, None, None, settings)
    from optcodec.effort import Rdo

    blocks = _blocks(options, target)
    utility_profile = None if blocks is None else blocks.profile
    sampling = options["subsampling"] or settings.get("subsampling")
    receiver = _receiver(
        measure, sampling or (None if utility_profile is None else utility_profile.provenance.subsampling)
    )
    if receiver is not None:
        settings.setdefault("subsampling", receiver.provenance.subsampling)
    tuned_net = (
        None if utility_profile is None or utility_profile.tuning is None else options["blocks"].removeprefix(_QPNET)
    )
    tune = receiver or measure or profile or (None if tuned_net else "psnr")
    settings["rdo"] = Rdo(tune=tune, field=_field(options), blocks=blocks, thorough=True)
    name = name or (f"{_RECEIVER}{tuned_net}" if tuned_net else "psnr")
    return EncodeSettings(effort, name, options["blocks"], blocks.way if blocks and utility_profile else None, settings)


def _blocks(options: dict[str, Any], target: Target | None) -> BlockChoice | None:
    """The choice of block weights by ``--blocks`` and ``--allocator``; None without ``--blocks``."""
    if options["blocks"] is None:
        return None
    from optcodec.blocks.choice import blocks_by
    from optcodec.targets import Bpp, MaxBytes

    way = options["allocator"]
    if way not in (None, "exchange") and not isinstance(target, (Bpp, MaxBytes)):
        raise InvalidInputError(f"--allocator {way} shares a budget among blocks; expected --bpp or --max-bytes")
    return blocks_by(options["blocks"], way)


def _receiver(measure: str | None, subsampling: str | None) -> UtilityProfile | None:
    """The profile of ``--tune receiver:NET``, checked for the subsampling and for a tuning; None for other tunings."""
    if measure is None or not measure.startswith(_RECEIVER):
        return None
    from optcodec.blocks.profile import load_utility_profile, shipped_utility_profiles

    net = measure.removeprefix(_RECEIVER)
    complete = net in shipped_utility_profiles() or net.endswith(".json")
    profile = load_utility_profile(net if complete else f"{net}.json", subsampling=subsampling)
    if profile.tuning is None:
        raise InvalidInputError(f"--tune {measure}: the profile has no tuning; expected one that was fitted")
    return profile


def _tune(text: str | None) -> tuple[str | None, str | None]:
    """Split the value of ``--tune`` into a measure or receiver, and the name of a sensitivity profile."""
    if text is None:
        return None, None
    if text.startswith(_NETWORK) and text != _NETWORK:
        return None, text.removeprefix(_NETWORK)
    if text.startswith(_RECEIVER) and text != _RECEIVER:
        return text, None
    from optcodec.trellis.tuning import TUNINGS

    if text not in TUNINGS:
        raise InvalidInputError(f"--tune is one of {', '.join(TUNINGS)}, dnn:PROFILE and receiver:NET, got {text!r}")
    return text, None


def _default_effort(options: dict[str, Any], target: Target | None) -> int:
    if any(options[name] is not None for name in ("tune", "roi", "blocks")):
        return 3
    return 1 if target is None else 2


def _check_effort(effort: int, options: dict[str, Any], quality: int | None, target: Target | None) -> None:
    """Refuse options that have no effect at this effort."""
    is_set = {name for name, value in options.items() if value is not None}
    tune, no_effect = options["tune"], "has no effect unless coefficients are optimized"
    wrong = {
        "--roi-strength needs --roi with a mask": "roi_strength" in is_set and "roi" not in is_set,
        f"--roi {no_effect}; expected --effort 3, got {effort}": "roi" in is_set and effort < 3,
        f"--blocks {no_effect}; expected --effort 3, got {effort}": "blocks" in is_set and effort < 3,
        f"--allocator needs --blocks {_QPNET}NET": "allocator" in is_set and "blocks" not in is_set,
    }
    if effort == 1:
        fixed = "tables are fixed with --effort 1"
        wrong |= {
            f"{fixed}, --method designs them; expected --effort 2 or 3": "method" in is_set,
            f"{fixed}, so that no target can be met; expected --effort 2 or 3": target is not None,
            f"{fixed}, so that --tune {tune} has no effect; expected --effort 3": tune is not None,
            f"--profile needs a target: {FILE_TARGETS}; or -q with --effort 2 or 3": "profile" in is_set,
        }
    elif effort == 2:
        measure = _tune(tune)[0]
        wrong |= {
            "--effort 2 designs tables, so that --tables has no effect; expected --effort 1 or 3": "tables" in is_set,
            f"--tune {measure} {no_effect}; expected --effort 3, or --tune dnn:PROFILE": measure is not None,
            "--effort 2 designs tables for -q/--quality or a target, got neither": quality is None and target is None,
        }
    else:
        exact = options["dct"] == "exact"
        wrong["--dct exact rounds coefficients, so that --effort 3 cannot optimize them; expected --dct float"] = exact
    for message, refused in wrong.items():
        if refused:
            raise InvalidInputError(message)


def _check_needed(measure: str, options: dict[str, Any], target: Target | None) -> None:
    """Refuse ``--profile`` if ``--tune`` names other weights, and neither target nor method uses the profile."""
    from optcodec.targets import MatchSwe, WaterLevel

    weighed = isinstance(target, (MatchSwe, WaterLevel)) or options["method"] in _METHODS_OF_PROFILES
    if options["profile"] is not None and not weighed:
        raise InvalidInputError(
            f"--profile has no effect with --tune {measure}; expected --tune dnn:PROFILE, --match-swe or --water-level"
        )


def _field(options: dict[str, Any]) -> QualityField | None:
    """Weights from the mask of ``--roi``."""
    path: Path | None = options["roi"]
    if path is None:
        return None
    from optcodec.pictures.pixels import load_picture
    from optcodec.trellis.field import MASK_STRENGTH, QualityField

    picture = load_picture(path, **{name: options[name] for name in ("background", "max_pixels", "orient")})
    report_notices({notice: [path] for notice in picture.notices})
    mask = picture.pixels
    if mask.ndim == 3:
        if (mask != mask[..., :1]).any():
            raise InvalidInputError(f"{path}: a mask is a grey image, got one with colours")
        mask = mask[..., 0]
    strength = options["roi_strength"]
    return QualityField.from_mask(mask, strength=MASK_STRENGTH if strength is None else strength)
