"""Option ``--engine``: the machines that do the work, and what they have to know."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from optcodec.batch.lock import lock_of
from optcodec.batch.names import same_file
from optcodec.batch.places import STREAM, Place, Store, whole
from optcodec.batch.sources import Found
from optcodec.cli.data_options import DataOptions
from optcodec.cli.dataset import DataTally, code_parts
from optcodec.cli.encode_settings import job_of, tuning_of
from optcodec.cli.network import running
from optcodec.cli.targets import Targets
from optcodec.console.help import ExpertOption
from optcodec.console.models import one_thread_each
from optcodec.console.options import with_options
from optcodec.console.streams import content_of
from optcodec.console.tuning import named_readers
from optcodec.errors import InvalidInputError

if TYPE_CHECKING:
    from optcodec.batch.cluster import Cluster
    from optcodec.batch.job import Job
    from optcodec.batch.manifest import Manifest
    from optcodec.batch.parts import Reach
    from optcodec.design import Statistics
    from optcodec.jpeg.tables import QuantTable

__all__ = ["Spread", "check_spread", "cluster_of", "engine_options"]


def engine_options(function: Any) -> Any:
    """Add the options for the machines that do the work to a command."""
    return with_options(
        function,
        click.option(
            "--engine",
            type=click.Choice(["threads", "ray"]),
            default="threads",
            show_default=True,
            help="What does the work: threads of this machine, or the machines of a Ray cluster.",
        ),
        click.option(
            "--address",
            metavar="ADDRESS",
            help="The Ray cluster, such as 10.0.0.1:6379 or ray://10.0.0.1:10001.  [default: what RAY_ADDRESS says, "
            "or a cluster that runs on this machine, or a new one on this machine]",
        ),
        click.option(
            "--gpus",
            cls=ExpertOption,
            type=click.FloatRange(0, min_open=True),
            metavar="N",
            help="GPUs that each worker of the Ray cluster asks for, such as 0.25, for a network on --device cuda.",
        ),
    )


@contextmanager
def cluster_of(options: Mapping[str, Any], check: Callable[[], None] | None = None) -> Iterator[Cluster | None]:
    """The cluster of the options, while the block runs; None for threads.

    Parameters
    ----------
    options : mapping
        Those of the verb.
    check : callable, optional
        Raises `OptcodecError` for what a cluster cannot do.

    Raises
    ------
    InvalidInputError
        If options do not go together, Ray is not installed, or the cluster cannot be reached.
    """
    if options["engine"] == "threads":
        for name in ("address", "gpus"):
            if options[name] is not None:
                raise InvalidInputError(f"--{name} is about a Ray cluster; expected --engine ray")
        yield None
        return
    from optcodec.batch.cluster import connected

    if check is not None:
        check()
    with (
        redirect_stdout(sys.stderr),  # where Ray's messages about lost machines would be within the JSON of the report
        connected(options["address"], gpus=options["gpus"] or 0.0, most=options.get("threads")) as cluster,
    ):
        yield cluster


def check_spread(found: Found, targets: Targets) -> None:
    """Refuse what only one machine can do.

    Raises
    ------
    InvalidInputError
        If there is no output folder, an input is stdin, or outputs would replace their inputs.
    """
    if targets.folder is None:
        raise InvalidInputError("--engine ray writes to a folder or a URL; expected -o with one")
    pairs = [*zip(found.pictures, targets.pictures, strict=True), *zip(found.shards, targets.shards, strict=True)]
    for item, target in pairs:
        if item.source == STREAM:
            raise InvalidInputError(
                "--engine ray reads files on all machines, which stdin is not; expected files, got -"
            )
        if same_file(item.source, target):
            raise InvalidInputError(
                f"{target} is an input, which --engine ray does not replace; expected another output"
            )


@dataclass(frozen=True)
class Spread:
    """A data set whose parts the machines of a cluster do.

    Parameters
    ----------
    cluster : Cluster
        The machines.
    found, targets : Found, Targets
        The data set, and where it goes; the folder is locked.
    reach : Reach
        What each machine must see.
    """

    cluster: Cluster
    found: Found
    targets: Targets
    reach: Reach

    @classmethod
    def over(cls, cluster: Cluster, found: Found, targets: Targets) -> Spread:
        """Check the machines, and compile the kernels on them.

        Raises
        ------
        OptcodecError
            If one of them does not see the files.
        """
        from optcodec.batch.parts import Reach

        assert targets.folder is not None
        first = [*found.pictures, *found.shards, *found.others][0]
        reach = Reach.of(lock_of(targets.folder), first.source)
        cluster.prepare(reach.check)
        return cls(cluster, found, targets, reach)

    def gather(
        self, places: Sequence[Place], images_of: Callable[[Sequence[Place]], Iterable[Any]], subsampling: str
    ) -> Statistics:
        """Statistics of pictures for the design of tables; see `optcodec.batch.spread.gather_on`."""
        from optcodec.batch.spread import gather_on

        return gather_on(self.cluster, self.reach.check, places, images_of, subsampling)

    def code(
        self,
        options: dict[str, Any],
        data: DataOptions,
        tables: tuple[QuantTable, ...] | None,
        manifest: Manifest | None,
        tally: DataTally,
    ) -> None:
        """Do the whole job, with the options of the verb; the tally is as of `code_parts`."""
        from optcodec.batch.parts import Recipe, parts_of

        recipe = Recipe(
            partial(_job, options, tables),
            partial(one_thread_each, running(options, named_readers(options))),
            fetch=content_of,
            store=_store,
            reach=self.reach,
            hashed=manifest is not None,
            suffix=data.suffix,
            copy_others=data.other != "skip",
        )
        targets = self.targets
        earlier = {} if manifest is None else manifest.earlier.rows
        parts = parts_of(self.found, (targets.pictures, targets.shards, targets.others), earlier, self.cluster.workers)
        code_parts(self.cluster, recipe, list(parts), manifest, tally)
        tally.skipped += len(self.found.others) - len(targets.others)


def _job(options: dict[str, Any], tables: tuple[QuantTable, ...] | None) -> Job:
    return job_of(options, tuning_of(options), tables, threads=1)


def _store(place: Store, data: bytes) -> None:
    with whole(place) as file:
        file.write(data)
