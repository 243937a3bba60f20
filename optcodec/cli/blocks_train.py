"""``optcodec blocks train``: train a QP-NET for a utility profile, from the measurements kept beside the profile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.console.many import report_notices
from optcodec.console.options import output_option
from optcodec.console.progress import progress_bar
from optcodec.console.show import count, json_option, print_json
from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages
from optcodec.files import check_writable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from optcodec.blocks.curves import Curves
    from optcodec.blocks.profile import UtilityProfile
    from optcodec.blocks.qpnet import QpNet

    Part = tuple[Curves, npt.NDArray[np.uint8]]

__all__ = ["command", "parts_folder"]

_VALIDATION = 7  # every seventh image is for validation
_HALVINGS = 6  # parts of the training, each with half the learning rate of the one before
_ACCURACY = 1e-9  # relative tolerance: profiles keep every digit, but sums differ slightly between processors


@click.command("train", short_help="Train a network (QP-NET) that predicts what blocks are worth.")
@click.argument("profile", type=click.Path(path_type=Path))
@output_option("Network to write (.npz).", required=True)
@click.option(
    "--parts", type=click.Path(path_type=Path), help="Folder of the kept measurements.  [default: PROFILE.parts]"
)
@click.option("--epochs", type=click.IntRange(1), default=24, show_default=True, help="Passes over all blocks.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Seed of the initial weights and of the order of the blocks.",
)
@json_option
def command(profile: Path, output: Path, parts: Path | None, epochs: int, seed: int, as_json: bool) -> None:
    """Train a network (QP-NET) that predicts a block's group in a utility profile from the pixels of the block.

    It is trained on the blocks that "optcodec blocks profile --keep-parts" kept beside the profile. Every seventh image
    is for validation: it selects the epoch, and the accuracies are measured on it. With NET.npz beside the profile
    NET.json, "optcodec encode --blocks qpnet:NET" uses both.
    """
    from optcodec.blocks.profile import load_utility_profile
    from optcodec.blocks.qpnet import save_qpnet

    if output.suffix != ".npz":
        raise click.BadParameter(f"{output} should end in .npz", param_hint="-o/--output")
    check_writable(output)
    require_packages("torch", "scipy.stats", extra="torch")
    utility_profile = load_utility_profile(profile)
    measured = _parts_of(utility_profile, profile, parts or parts_folder(profile))
    net = _trained(utility_profile, measured, epochs, seed)
    save_qpnet(net, output)
    record = _record(output, utility_profile, net)
    beside = output.with_suffix(".json")
    ready = beside.exists() and beside.samefile(profile)
    if as_json:
        print_json(record)
    else:
        click.echo(_text(record))
    if not ready:
        report_notices({f"--blocks expects the profile {profile} beside it, as {beside.name}": [output]})
    elif not as_json:
        click.echo(f"use: optcodec encode IMAGE --blocks qpnet:{output.with_suffix('')}")


def parts_folder(profile: Path) -> Path:
    """Folder that keeps the curves and pixels of the blocks of a profile's images."""
    return profile.with_name(f"{profile.name}.parts")


def _parts_of(profile: UtilityProfile, path: Path, folder: Path) -> list[Part]:
    """The kept part of each image of a profile, in the order of the images; images of the same content count once.

    The file name of a part has a hash of its image and one of the settings of the survey. The profile does not record
    the settings; those are right whose parts give the same profile again.
    """
    from optcodec.receivers.survey import read_part

    digests = [digest[:32] for _, digest in profile.provenance.images]
    images = list(dict.fromkeys(digests))
    if len(images) < 2:
        raise InvalidInputError(f"{path}: training takes two images at least, one for validation; got {len(images)}")
    paths: defaultdict[str, dict[str, Path]] = defaultdict(dict)
    for file in sorted(folder.glob("*-*.npz")):
        image, _, settings = file.stem.partition("-")
        paths[settings][image] = file
    if not paths:
        raise InvalidInputError(f"{folder}: no parts; expected those that optcodec blocks profile --keep-parts keeps")
    most_read = 0
    for paths_by_image in paths.values():
        parts_read = {
            image: part
            for image in images
            if image in paths_by_image and (part := read_part(paths_by_image[image])) is not None
        }
        most_read = max(most_read, len(parts_read))
        if len(parts_read) == len(images) and _came_from(profile, [parts_read[digest][0] for digest in digests]):
            return list(parts_read.values())
    if most_read < len(images):
        raise InvalidInputError(
            f"{folder}: whole parts of {most_read} of the {len(images)} images of {path}; expected all"
        )
    raise InvalidInputError(f"{folder}: parts of other settings than those of {path}; expected parts of this profile")


def _came_from(profile: UtilityProfile, curves: Sequence[Curves]) -> bool:
    """Whether a profile was built from these curves."""
    import numpy as np

    from optcodec.blocks.profile import build_profile

    if sum(map(len, curves)) != profile.provenance.blocks:
        return False
    built = build_profile(profile.name, curves, groups=profile.groups)
    return np.array_equal(built.qualities, profile.qualities) and all(
        np.allclose(getattr(built, name), getattr(profile, name), rtol=_ACCURACY, atol=0)
        for name in ("nbytes", "psnr_db", "before", "after", "utility", "borders")
    )


def _trained(profile: UtilityProfile, parts: Sequence[Part], epochs: int, seed: int) -> QpNet:
    """Train on six of every seven images, and return the network of the epoch that is best on the others."""
    import numpy as np

    from optcodec.blocks.curves import Curves
    from optcodec.receivers.train_qpnet import QpNetRecipe, train_qpnet

    check, train = parts[::_VALIDATION], [part for number, part in enumerate(parts) if number % _VALIDATION]
    labelled = [
        (
            np.concatenate([blocks for _, blocks in image_parts]),
            profile.rank(Curves.joined([curves for curves, _ in image_parts])),
        )
        for image_parts in (train, check)
    ]
    blocks, groups = labelled[0]
    if len(blocks) < profile.groups:
        of = f"{count(len(blocks), 'block')} of {count(len(train), 'image')}"
        raise InvalidInputError(f"training takes a block for each of {profile.groups} groups at least, got {of}")
    origin = {
        "profile": profile.name,
        "task": profile.provenance.task,
        "network": profile.provenance.network,
        "images": len(train),
        "validation_images": len(check),
        "card": ["validation"],
    }
    with progress_bar(epochs, note="epochs") as tell:
        return train_qpnet(
            blocks,
            groups,
            profile.groups,
            validation=labelled[1],
            recipe=QpNetRecipe(epochs, seed, halve_every=-(-epochs // _HALVINGS)),
            provenance=origin,
            progress=lambda epoch: tell(epoch.number, note=f"epochs, validation loss {epoch.validation_loss:.3f}"),
        )


def _record(output: Path, profile: UtilityProfile, net: QpNet) -> dict[str, Any]:
    """What ``--json`` prints; ``validation`` holds the accuracies from the network's card."""
    counts = ("images", "blocks", "validation_images", "validation_blocks")
    return {
        "output": str(output),
        "profile": profile.name,
        "task": profile.provenance.task,
        "groups": net.groups,
        **{name: net.provenance[name] for name in counts},
        "validation": dict(net.card),
    }


def _text(record: dict[str, Any]) -> str:
    card = record["validation"]
    trained, validation = (
        f"{count(record[f'{kind}blocks'], 'block')} of {count(record[f'{kind}images'], 'image')}"
        for kind in ("", "validation_")
    )
    return (
        f"{record['output']}: {count(record['groups'], 'group')} of {record['task']}, trained on {trained}\n"
        f"validation, {validation} that also chose the epoch: top-1 {100 * card['top1']:.1f} %, "
        f"within one group {100 * card['within_one']:.1f} %, rank correlation {card['rank_correlation']:.3f}"
    )
