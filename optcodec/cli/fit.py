"""``optcodec fit``: find out how pictures can be coded for a network, and write that as a plan."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from optcodec.batch.opening import needed_nbytes
from optcodec.batch.places import Place, Store
from optcodec.batch.shards import pictures_in
from optcodec.batch.sources import find
from optcodec.cli.data_options import places
from optcodec.cli.fit_report import document_of, provenance_of, text_of
from optcodec.cli.fit_ways import fit_ways, planned_options, way_options
from optcodec.cli.targets import is_data_set
from optcodec.console.help import ExpertOption, GroupedCommand
from optcodec.console.many import Done, Failure, process_files, report_failures
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
from optcodec.console.show import json_option, print_json
from optcodec.console.streams import content_of
from optcodec.errors import InvalidInputError
from optcodec.files import check_writable
from optcodec.limits import processor_count

if TYPE_CHECKING:
    from optcodec.fit.bench import Failures, Run
    from optcodec.fit.limits import FitLimits
    from optcodec.fit.run import Fit
    from optcodec.vision.datasets import Labelled

__all__ = ["command"]

T = TypeVar("T")

_NBYTES_PER_PIXEL = 200  # of memory at the peak, with a network in the loop


def _points(ctx: click.Context, option: click.Parameter, text: str | None) -> float | None:
    """Percentage points, with their sign: ``0.5%``; a callback of an option."""
    if text is None:
        return None
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = None
    if number is None or not text.endswith("%"):
        raise InvalidInputError(f"{option.opts[0]} is a number of percentage points such as 0.5%, got {text!r}")
    return number


@click.command(cls=GroupedCommand, short_help="Find the options that suit a network and your pictures.")
@network_option
@click.option(
    "--data",
    required=True,
    callback=places,
    metavar="INPUT",
    help='Pictures like those to come: a folder; without labels also what "optcodec encode" takes as several pictures: '
    "a pattern, a list, a tar file, or a URL.",
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Plan to write (JSON).")
@click.option(
    "--max-loss",
    callback=_points,
    metavar="P%",
    help="Limit: top-1 accuracy falls by at most P percentage points, such as 0.5%. Without --labels that is the part "
    "of the pictures for which the network decides otherwise than on the original.",
)
@click.option(
    "--max-kl",
    type=float,
    metavar="X",
    help="Limit: the mean divergence of the output from that on the original (Kullback-Leibler) is at most X nats.",
)
@click.option(
    "--min-agreement",
    type=float,
    metavar="P",
    help="Limit: the decision is the same for at least P percent of the pictures, or of a map of classes or the output "
    "of a detector.",
)
@agreement_option
@click.option(
    "--labels",
    default="self",
    show_default=True,
    help="Source of the labels: 'self' (the network's decisions on the originals), 'folders' (names of subfolders), or "
    "a CSV file with the columns file (path within --data) and class_index.",
)
@way_options
@click.option(
    "-n",
    "--images",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Number of pictures to choose by, at most half of all.",
)
@click.option(
    "--verify-images",
    type=click.IntRange(1),
    default=400,
    show_default=True,
    help="Largest number of other pictures to verify by.",
)
@classifier_options
@click.option(
    "--seed",
    cls=ExpertOption,
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Seed of the draw of pictures, and of the intervals.",
)
@click.option(
    "--threads", cls=ExpertOption, type=click.IntRange(1), help="Largest number of threads.  [default: all cores]"
)
@background_option
@to_rgb_option
@max_pixels_option
@json_option
def command(data: Store, output: Path, as_json: bool, **options: Any) -> None:
    """Find out how pictures can be coded in the fewest bytes that a network does not mind, and write that as a plan.

    Methods, chroma subsamplings, resolutions and qualities are tried on a sample of the pictures. What has the fewest
    bytes within the limits is verified on others of the pictures, and if it does not keep the limits there, the
    next one is: figures and their 95 % intervals are from there. "optcodec encode --plan" applies the plan. Limits are
    compared with means; the verdict says if the interval exceeds them, and more pictures make it narrower. If nothing
    keeps the limits, the exit status is 1, the nearest is named, and no plan is written.
    """
    from optcodec.fit.limits import FitLimits
    from optcodec.fit.plan import Plan
    from optcodec.fit.verdict import verdict_of

    check_writable(output)
    named = {name: options[name] for name in ("max_loss", "max_kl", "min_agreement")}
    if all(limit is None for limit in named.values()):
        raise InvalidInputError("expected a limit: --max-loss, such as 0.5%, --max-kl or --min-agreement; got none")
    limits = FitLimits(*named.values())
    fit, about = _fitted(data, limits, options)
    verdict = verdict_of(fit, limits)
    plan = None
    if fit.chosen is not None:
        plan = Plan(planned_options(fit.chosen, options), verdict, provenance_of(fit, about))
        plan.save(output)
    if as_json:
        print_json(document_of(fit, about) | {"verdict": verdict, "plan": plan and str(output)})
    else:
        click.echo(text_of(fit, limits))
    _end(fit, verdict if as_json or plan is None else f"{verdict} ({output})", as_json, about)


def _end(fit: Fit, verdict: str, as_json: bool, about: dict[str, Any]) -> None:
    """The verdict, and an exit status of 1 without a plan, or with pictures that could not be used."""
    if fit.chosen is None:
        click.echo(f"Error: {verdict}; no plan was written", err=True)
    elif not as_json:
        click.echo(verdict)
    total = len(about["sample"]) + len(about["others"])
    report_failures([Failure(path, reason) for path, reason in fit.failures], total)
    if fit.chosen is None:
        click.get_current_context().exit(1)


class _Picture(NamedTuple):
    """A picture without a label, wherever it is; see `Labelled`."""

    path: Place
    label: None = None


@contextmanager
def _pictures(data: Store, labels: str) -> Iterator[Sequence[Labelled]]:
    """The pictures of the data, which can be read while the block runs.

    Raises
    ------
    InvalidInputError
        If there are none, or a tar file cannot be read.
    """
    from optcodec.vision.datasets import find_images

    if labels == "self" and is_data_set([data], found := find([data], lambda _: False)):
        with pictures_in(found) as (names, failures):
            if failures:
                raise InvalidInputError(f"{failures[0].path}: {failures[0].message}")
            yield list(map(_Picture, names))
    elif isinstance(data, Path):
        yield find_images(data, labels)
    else:
        expected = "several pictures and --labels self, or a folder of this machine with labels"
        raise InvalidInputError(f"expected {expected}; got {data} and --labels {labels}")


def _fitted(data: Store, limits: FitLimits, options: dict[str, Any]) -> tuple[Fit, dict[str, Any]]:
    """What was found, and what it was found by, ready for JSON."""
    from optcodec.fit.bench import Bench
    from optcodec.fit.run import fit_plan, split

    network, model = open_network(options)
    choices = fit_ways(network, model, options)
    opening = {name: options[name] for name in ("background", "max_pixels", "to_rgb")}
    run, seed = _run(options["threads"] or processor_count()), options["seed"]
    with _pictures(data, options["labels"]) as images:
        if options["labels"] == "folders":
            check_folders(network, {image.path.relative_to(data).parts[0] for image in images})
        pictures = split(images, options["images"], options["verify_images"], seed)
        bench = Bench(network, opening, run, seed, content_of)
        with one_thread_each([options["network"]] if "torch" in sys.modules else []):  # a function may do without torch
            fit = fit_plan(bench, pictures, choices, limits)
    named = {"network": network.name, "weights_sha256": network.weights_sha256}
    return fit, named | _asked(data, pictures, options)


def _asked(data: Store, pictures: Sequence[Sequence[Labelled]], options: dict[str, Any]) -> dict[str, Any]:
    return {
        "data": str(data),
        "labels": options["labels"],
        "agreement": options["agreement"],
        "limits": {"max_loss_points": options["max_loss"], **{n: options[n] for n in ("max_kl", "min_agreement")}},
        "seed": options["seed"],
        "sample": [str(image.path) for image in pictures[0]],
        "others": [str(image.path) for image in pictures[1]],
    }


def _run(workers: int) -> Run:
    """Work on several pictures at a time, with a progress bar, as far as there is memory."""

    def run(label: str, paths: Sequence[Place], work: Callable[[int], T]) -> tuple[list[T], Failures]:
        def done(index: int) -> Done:
            return Done({"result": work(index)})

        def nbytes(index: int) -> int:
            return needed_nbytes(paths[index], _NBYTES_PER_PIXEL)

        records, failures = process_files(paths, done, workers=workers, label=label, nbytes=nbytes)
        return [record["result"] for record in records], [(failure.path, failure.message) for failure in failures]

    return run
