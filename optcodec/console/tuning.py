"""Options for effort, tuning, region of interest and blocks, and the arguments of `optcodec.encode` that they set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.console.help import ExpertOption
from optcodec.console.many import report_notices
from optcodec.console.options import FILE_TARGETS, one_of, profile_from, with_options
from optcodec.errors import InvalidInputError
from optcodec.samplings import AUTO

if TYPE_CHECKING:
    from optcodec.blocks.choice import BlockChoice
    from optcodec.blocks.profile import UtilityProfile
    from optcodec.effort import Request
    from optcodec.targets import Target
    from optcodec.trellis.field import QualityField

__all__ = [
    "EncodeSettings",
    "block_options",
    "named_readers",
    "region_options",
    "tune_option",
    "tuned",
    "tuning_options",
]

_NETWORK, _RECEIVER, _QPNET = "dnn:", "receiver:", "qpnet:"  # prefixes of names of profiles
_FOR_NETWORKS = "generic"  # the profile that files for a network start from
# How names of `optcodec.encode` are written here, where not as ``--name``.
_SPELLED = {
    "quality": "-q/--quality",
    "target": f"a target: {FILE_TARGETS}",
    "field": "--roi",
    "reader": "--network or --reader",
    "MatchSwe": "--match-swe",
    "WaterLevel": "--water-level",
}


tune_option = click.option(
    "--tune",
    metavar="psnr|ycbcr|ssim|people|dnn:PROFILE|receiver:NET",
    help="What --effort 3 and 4 optimize for: a measure (psnr: of RGB; ycbcr: the same by components, which is faster; "
    "ssim), people, a network (dnn), or a receiver that restores images.  [default: the network of --profile, the "
    "receiver of --blocks; people with --max-bytes alone; otherwise psnr, and with --network dnn:generic]",
)


def tuning_options(function: Any) -> Any:
    """Add the options for effort, tuning, region of interest and blocks to a command."""
    return with_options(
        block_options(function),
        click.option(
            "--effort",
            type=click.IntRange(1, 4),
            help="1: fixed tables. 2: designed tables. 3: designed tables and optimized coefficients (a trellis), "
            "for the smallest files. 4: the same, but the gradients of --network or --reader choose them, or with "
            "--tune people those of what people see.  [default: "
            "1; with a target 2; with --tune, --roi or --blocks, or --max-bytes alone, 3; with --network or --reader "
            "4]",
        ),
        tune_option,
        region_options,
    )


def region_options(function: Any) -> Any:
    """Add the options for a region of interest to a command."""
    return with_options(
        function,
        click.option(
            "--roi",
            type=click.Path(path_type=Path),
            metavar="MASK",
            help="Region of interest, with --effort 3 or 4: a grey image of the same size as the input after --orient; "
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
            metavar="qpnet:NET|crop:PART|x264|libwebp",
            help="How blocks share the bits, with --effort 3 or 4: by the gain of a network that restores images "
            "(qpnet); by what a network sees that crops the square in the middle, whose side is PART of the shorter "
            "one (crop:224/256 if it resizes to 256 pixels and crops to 224); or by their variance, as the named codec "
            "does.",
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
        1..4.
    tune : str or None
        In the syntax of ``--tune``; None if all errors have the same weight.
    blocks, allocator : str or None
        In the syntax of ``--blocks`` and ``--allocator``.
    networks : list of str
        The networks that read the files.
    readers : list of str
        The receivers and other readers of the files, in the syntax of ``--reader``.
    settings : dict
        Arguments of `optcodec.encode`.
    """

    effort: int
    tune: str | None
    blocks: str | None
    allocator: str | None
    networks: list[str]
    readers: list[str]
    settings: dict[str, Any]

    @property
    def record(self) -> dict[str, Any]:
        """The fields for ``--json``."""
        names = ("effort", "tune", "blocks", "allocator", "networks", "readers")
        return {name: getattr(self, name) for name in names}


def tuned(options: dict[str, Any], quality: int | None, target: Target | None) -> EncodeSettings:
    """Check the options for effort, tuning, profile, region and blocks, and fill in their defaults.

    Raises
    ------
    InvalidInputError
        If an option would have no effect, or the tuning, the profile, the mask or the blocks are wrong.
    """
    from optcodec.effort import Request, check_effort, is_for_people

    measure, network = _tune(options["tune"])
    one_of({"--profile": options["profile"], "--tune dnn:PROFILE": network})
    _check_details(options)
    networks, readers = list(options.get("network", ())), named_readers(options)
    effort = options["effort"] or (3 if network and not networks else None)

    def spell(name: str) -> str:
        tuned_for = name == "tune" or (name == "profile" and network)
        return f"--tune {options['tune']}" if tuned_for else _SPELLED.get(name, f"--{name}")

    arguments = {name: options[name] for name in ("method", "tables", "blocks", "dct", "huffman")}
    arguments |= {"quality": quality, "target": target, "profile": network or options["profile"]}
    arguments |= {"reader": [*networks, *readers] or None, "rounds": options.get("rounds")}
    arguments |= {"effort": effort, "tune": measure, "field": options["roi"]}
    effort = check_effort(arguments, spell)
    if is_for_people(arguments):
        return EncodeSettings(effort, "people", None, None, [], [], {"target": target})
    by_default = _FOR_NETWORKS if networks and not (measure or options["blocks"]) else None
    profile = profile_from(network or options["profile"] or by_default)
    name = measure or (None if profile is None else f"{_NETWORK}{profile.name}")
    settings: dict[str, Any] = {"effort": effort, "quality": quality, "target": target, "profile": profile}
    _check_sampling(options["subsampling"], Request(profile=profile))
    if effort < 3:
        return EncodeSettings(effort, name, None, None, [], [], settings)
    blocks = _blocks(options, target)
    request = Request(profile=profile, blocks=blocks)
    sampling = (None if options["subsampling"] == AUTO else options["subsampling"]) or request.subsampling
    tune = _receiver(measure, sampling) or measure
    _check_sampling(options["subsampling"], replace(request, tune=tune))
    settings |= {"tune": tune, "field": _field(options), "blocks": blocks}
    receiver = None if blocks is None else blocks.profile
    if name is None:
        tuned_for_it = receiver is not None and receiver.tuning is not None
        name = f"{_RECEIVER}{options['blocks'].removeprefix(_QPNET)}" if tuned_for_it else "psnr"
    way = blocks.way if blocks and receiver else None
    return EncodeSettings(effort, name, options["blocks"], way, networks, readers, settings)


def named_readers(options: dict[str, Any]) -> list[str]:
    """Readers in the loop: those of ``--reader``, or with ``--effort 4`` alone, the receiver that the file is for."""
    named = list(options.get("readers", ()))  # of the verb encode only
    if named or options["effort"] != 4 or options.get("network"):
        return named
    receivers = ((options["tune"], _RECEIVER), (options["blocks"], _QPNET))
    nets = [name.removeprefix(prefix) for name, prefix in receivers if name is not None and name.startswith(prefix)]
    return nets[:1]


def _check_details(options: dict[str, Any]) -> None:
    """Refuse options that say more about another one, without that one."""
    if options["roi_strength"] is not None and options["roi"] is None:
        raise InvalidInputError("--roi-strength needs --roi with a mask")
    if options["allocator"] is not None and options["blocks"] is None:
        raise InvalidInputError(f"--allocator needs --blocks {_QPNET}NET")


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


def _check_sampling(subsampling: str | None, request: Request) -> None:
    """Refuse to choose the subsampling where a profile has one."""
    if subsampling == AUTO:
        from optcodec.subsampling import check_automatic

        check_automatic(request)


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
