"""``optcodec blocks train``: a QP-NET for a profile, from the parts that are kept beside it."""

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

_VALIDATION = 7  # one image of so many
_HALVINGS = 6  # parts of the training, each with half the learning rate of the one before
_ACCURACY = 1e-9  # relative; a profile holds all digits, but sums may differ from one processor to the next


@click.command("train")
@click.argument("profile", type=click.Path(path_type=Path))
@output_option("The network (.npz).", required=True)
@click.option("--parts", type=click.Path(path_type=Path), help="What is kept of the images.  [default: PROFILE.parts]")
@click.option("--epochs", type=click.IntRange(1), default=24, show_default=True, help="Passes over the blocks.")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of first weights and order."
)
@json_option
def command(profile: Path, output: Path, parts: Path | None, epochs: int, seed: int, as_json: bool) -> None:
    """Train a network (QP-NET) that tells from its pixels which group of a profile a block belongs to.

    It learns from the blocks that "optcodec blocks profile --keep-parts" keeps beside the profile; one image in seven
    chooses the epoch, and gives the accuracies. With NET.npz beside the profile NET.json, "optcodec encode --blocks
    qpnet:NET" makes use of both.
    """
    from optcodec.blocks.profile import load_utility_profile
    from optcodec.blocks.qpnet import save_qpnet

    if output.suffix != ".npz":
        raise click.BadParameter(f"{output} should end in .npz", param_hint="-o/--output")
    check_writable(output)
    require_packages("torch", "scipy.stats", extra="torch")
    made = load_utility_profile(profile)
    kept = _parts_of(made, profile, parts or parts_folder(profile))
    net = _trained(made, kept, epochs, seed)
    save_qpnet(net, output)
    record = _record(output, made, net)
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
    """Where the curves and pixels of a profile's images are kept."""
    return profile.with_name(f"{profile.name}.parts")


def _parts_of(profile: UtilityProfile, path: Path, folder: Path) -> list[Part]:
    """What is kept of each image of a profile, in their order; images of the same content count once.

    A part is called by its image and by the settings. Those are the profile's from which it comes out again.
    """
    from optcodec.receivers.survey import read_part

    digests = [digest[:32] for _, digest in profile.provenance.images]
    images = list(dict.fromkeys(digests))
    if len(images) < 2:
        raise InvalidInputError(f"{path}: training takes two images at least, one for validation; got {len(images)}")
    found: defaultdict[str, dict[str, Path]] = defaultdict(dict)
    for file in sorted(folder.glob("*-*.npz")):
        image, _, settings = file.stem.partition("-")
        found[settings][image] = file
    if not found:
        raise InvalidInputError(f"{folder}: no parts; expected those that optcodec blocks profile --keep-parts keeps")
    most = 0
    for names in found.values():
        read = {image: part for image in images if image in names and (part := read_part(names[image])) is not None}
        most = max(most, len(read))
        if len(read) == len(images) and _came_from(profile, [read[digest][0] for digest in digests]):
            return list(read.values())
    if most < len(images):
        raise InvalidInputError(f"{folder}: whole parts of {most} of the {len(images)} images of {path}; expected all")
    raise InvalidInputError(f"{folder}: parts of other settings than those of {path}; expected its own")


def _came_from(profile: UtilityProfile, curves: Sequence[Curves]) -> bool:
    """Whether it is these curves that a profile was made of."""
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
    """The network of the best epoch, by the first image in every seven."""
    import numpy as np

    from optcodec.blocks.curves import Curves
    from optcodec.receivers.train_qpnet import QpNetRecipe, train_qpnet

    check, train = parts[::_VALIDATION], [part for number, part in enumerate(parts) if number % _VALIDATION]
    labelled = [
        (np.concatenate([blocks for _, blocks in each]), profile.rank(Curves.joined([curves for curves, _ in each])))
        for each in (train, check)
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
    """``validation`` is the card."""
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
