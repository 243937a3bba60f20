"""``optcodec verify``: what coding has done to the files that a network will read, the originals against the coded."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.batch.opening import needed_nbytes
from optcodec.console.about import about
from optcodec.console.help import ExpertOption, GroupedCommand
from optcodec.console.many import Done, Failure, failure_records, process_files, report_failures
from optcodec.console.models import (
    agreement_option,
    check_folders,
    classifier_options,
    network_option,
    one_thread_each,
    open_network,
)
from optcodec.console.options import (
    background_option,
    max_pixels_option,
    to_rgb_option,
)
from optcodec.console.show import columns, count, json_option, print_json
from optcodec.limits import processor_count

if TYPE_CHECKING:
    from optcodec.accuracy.change import Change, Network
    from optcodec.accuracy.pairs import Pair
    from optcodec.accuracy.verification import Check, Figure, Verification

__all__ = ["command"]

_ONE = "one picture says nothing of others, so that no limit is kept; expected at least two pictures"
_NBYTES_PER_PIXEL = 40  # of memory at the peak, for both pictures and their conversion
# Names and units of figures, and how they are printed.
_FIGURES = {
    "saved_percent": ("bytes saved, %", ".1f"),
    "agreement_percent": ("same decision, %", ".1f"),
    "loss_increase": ("loss increase, nats", "+.4f"),
    "kl": ("divergence, nats", ".4f"),
    "top1_percent_before": ("top-1 before, %", ".1f"),
    "top1_percent_after": ("top-1 after, %", ".1f"),
    "top1_change_points": ("top-1 change, points", "+.1f"),
}


@click.command(cls=GroupedCommand, short_help="Check on your own files that a network reads them alike.")
@click.option("--before", required=True, type=click.Path(path_type=Path), help="Folder of the originals.")
@click.option(
    "--after",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder of the coded files, with the same paths in it apart from the suffix.",
)
@network_option
@click.option(
    "--labels",
    default="self",
    show_default=True,
    help="Source of the labels: 'self' (the network's decisions on the originals), 'folders' (names of subfolders), or "
    "a CSV file with the columns file (path within --before) and class_index.",
)
@click.option(
    "--max-loss",
    type=float,
    metavar="X",
    help="Limit: the mean increase of the loss (cross-entropy) is at most X nats, up to the upper end of its interval.",
)
@click.option(
    "--max-kl",
    type=float,
    metavar="X",
    help="Limit: the mean divergence of the output from that on the original (Kullback-Leibler) is at most X nats, up "
    "to the upper end of its interval.",
)
@click.option(
    "--min-agreement",
    type=float,
    metavar="P",
    help="Limit: the decision is the same for at least P percent of the pictures, or of a map of classes or the output "
    "of a detector, down to the lower end of the interval.",
)
@agreement_option
@click.option("--resized", is_flag=True, help="Allow coded pictures of another size in the same proportions.")
@classifier_options
@click.option(
    "--seed", cls=ExpertOption, type=click.IntRange(0), default=0, show_default=True, help="Seed of the intervals."
)
@click.option(
    "--threads", cls=ExpertOption, type=click.IntRange(1), help="Largest number of threads.  [default: all cores]"
)
@background_option
@to_rgb_option
@max_pixels_option
@json_option
def command(before: Path, after: Path, as_json: bool, **options: Any) -> None:
    """Compare coded files with their originals as a network sees them: decisions, loss, divergence and bytes.

    The files are taken as they lie, whichever encoder wrote them, and resized and cropped as the network requires (for
    an ONNX file: to 8/7 of its input, of which it gets the middle; as they are where its input has no fixed size).
    Exif orientations are applied. Means have 95 % intervals, which say how far other pictures of the same kind may be
    from these. The ten pictures whose loss grew most are named. The exit status is 1 if a limit is not kept by the
    worse end of the interval, as none is by a single picture, and if a file has no counterpart or cannot be read.
    """
    from optcodec.accuracy.pairs import find_pairs
    from optcodec.accuracy.verification import Limits, verification_of

    limits = Limits(*(options[name] for name in ("max_loss", "max_kl", "min_agreement")))
    network, _ = open_network(options)
    pairs, unpaired = find_pairs(before, after, options["labels"])
    if options["labels"] == "folders":
        paths = [pair.before for pair in pairs] + [file.path for file in unpaired]
        check_folders(network, {path.relative_to(before).parts[0] for path in paths if before in path.parents})
    changes, failures = _measured(network, pairs, options)
    failures += [Failure(file.path, file.reason) for file in unpaired]
    verification = verification_of(changes, seed=options["seed"]) if changes else None
    checks = limits.checks(verification) if verification else ()
    if as_json:
        print_json(_head(network, options, before, after) | _document(verification, checks, changes, failures))
    elif verification:
        click.echo(f"{before} -> {after}: {_text(verification, network.name, options['labels'])}")
        for line in [_judged(check) for check in checks if check.kept]:
            click.echo(line)
    _report(checks, failures, len(pairs) + len(unpaired), one=len(changes) == 1)


def _measured(network: Network, pairs: Sequence[Pair], options: dict[str, Any]) -> tuple[list[Change], list[Failure]]:
    """The changes of all pictures that can be measured, and the others."""
    from optcodec.accuracy.change import measure_pair

    opening = {name: options[name] for name in ("background", "max_pixels", "resized", "to_rgb")}

    def work(index: int) -> Done:
        notices: list[str] = []
        change = measure_pair(network, pairs[index], notify=notices.append, **opening)
        return Done({"change": change}, tuple(notices))

    def nbytes(index: int) -> int:
        return needed_nbytes(pairs[index].before, _NBYTES_PER_PIXEL)

    paths = [pair.before for pair in pairs]
    workers = options["threads"] or processor_count()
    with one_thread_each([options["network"]] if "torch" in sys.modules else []):  # a function may do without torch
        records, failures = process_files(paths, work, workers=workers, label="verify", nbytes=nbytes)
    return [record["change"] for record in records], failures


def _head(network: Network, options: dict[str, Any], before: Path, after: Path) -> dict[str, Any]:
    return {
        **about("numpy", "pillow", "torch", "torchvision", "onnxruntime"),
        "network": network.name,
        "weights_sha256": network.weights_sha256,
        "before": str(before),
        "after": str(after),
        "labels": options["labels"],
        "seed": options["seed"],
    }


def _document(
    verification: Verification | None,
    checks: Sequence[Check],
    changes: Sequence[Change],
    failures: Sequence[Failure],
) -> dict[str, Any]:
    """The results, ready for JSON; null for the figures if no picture could be measured."""
    return {
        "figures": verification and asdict(verification) | {"worst": [change.name for change in verification.worst]},
        "limits": [asdict(check) for check in checks],
        "files": [asdict(change) | {"loss_increase": change.loss_increase} for change in changes],
        "failures": failure_records(failures),
    }


def _text(verification: Verification, network: str, labels: str) -> str:
    figures = [
        (title, *_cells(figure, form, verification.images))
        for name, (title, form) in _FIGURES.items()
        if (figure := getattr(verification, name)) is not None
    ]
    pictures = count(verification.images, "picture")
    sizes = f"{verification.nbytes_before:,} -> {verification.nbytes_after:,} bytes"
    return "\n\n".join(
        [
            f"{pictures}, {sizes}, read by {network}, labels: {labels}",
            columns(("", "value", "95 % from", "to"), figures),
            *_worst(verification),
        ]
    )


def _worst(verification: Verification) -> tuple[str, str]:
    """The worst pictures, and in front of them what they are."""
    by_loss = verification.loss_increase is not None
    of_loss = ("loss increase", "divergence") if by_loss else ()
    rows = [
        (
            change.name,
            *((f"{change.loss_increase:+.4f}", f"{change.kl:.4f}") if by_loss else ()),
            _decision(change),
            f"{change.nbytes_before:,} -> {change.nbytes_after:,}",
        )
        for change in verification.worst
    ]
    title = "Pictures whose loss grew most:" if by_loss else "Pictures that agree least:"
    return title, columns(("picture", *of_loss, "class" if by_loss else "output", "bytes"), rows)


def _decision(change: Change) -> str:
    """What a network has decided, or the part of a map on which it decides alike."""
    if change.map_agreement is not None:
        return f"{100 * change.map_agreement:.1f} % same"
    return f"{change.decision_before} -> {change.decision_after}"


def _cells(figure: Figure, form: str, images: int) -> tuple[str, ...]:
    """Value and interval; without the interval of one picture, unless it is the exact one of a share."""
    value, low, high = (format(number, form) for number in (figure.value, figure.low, figure.high))
    return (value, low, high) if images > 1 or low != high else (value, "", "")


def _report(checks: Sequence[Check], failures: Sequence[Failure], total: int, *, one: bool) -> None:
    """Name exceeded limits and files that failed on stderr; with any, end with exit status 1."""
    exceeded = [check for check in checks if not check.kept]
    for line in [_ONE] if one and exceeded else map(_judged, exceeded):
        click.echo(f"Error: {line}", err=True)
    report_failures(failures, total)
    if exceeded:
        click.get_current_context().exit(1)


def _judged(check: Check) -> str:
    """A line that says whether a limit is kept, and why."""
    option = f"--{check.name.replace('_', '-')}"
    end = "lower" if check.name.startswith("min") else "upper"
    verdict = "is kept" if check.kept else "is not kept"
    return f"{option} {check.limit:g} {verdict}: the {end} end of the 95 % interval is {check.reached:.4g}"
