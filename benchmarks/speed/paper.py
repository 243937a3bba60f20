"""What would a billion pictures take: bytes, hours, memory, money, and what is short first?

    python -m benchmarks.speed.paper [--machines 16] [--processor-hour 0.04] ...

Nothing is measured here. What a picture takes comes from the committed results `whole_set` (files to files, on local
disks), `bookkeeping` (the process of the command, on a Ray cluster), `store_requests` and `dataset` (encoding alone).
All else is assumed: machines, networks and prices are the options of this script. Prints the tables of
``docs/datasets.md``, which have the defaults.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, fields
from typing import Any

from benchmarks.markdown import table
from benchmarks.record import load_result

__all__ = ["Assumed", "a_billion", "billion_table", "coding_table", "needs", "whole_set_table"]

PICTURES = 1_000_000_000


@dataclass(frozen=True)
class Assumed:
    """What is not measured: a choice, or a price that changes from one provider and year to the next."""

    machines: int = 16
    processors: int = 16  # of a machine
    gbit_a_second: float = 10.0  # network of a machine
    memory_gb: float = 64.0  # of the machine on which the command runs
    in_a_tar: int = 500  # pictures
    request_mb: float = 50.0  # largest part of a file that is read or written in one request
    processor_hour: float = 0.04  # dollars
    million_reads: float = 0.40  # dollars for GET and HEAD requests to the store
    million_writes: float = 5.00  # dollars for PUT requests
    gb_month: float = 0.02  # dollars for what is stored


def main() -> None:
    """Print the tables with other assumptions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for field in fields(Assumed):
        name = f"--{field.name.replace('_', '-')}"
        parser.add_argument(name, type=type(field.default), default=field.default)
    assumed = Assumed(**vars(parser.parse_args()))
    print(billion_table(assumed), coding_table(assumed), sep="\n\n")


def a_billion(kind: str, measured: dict[str, Any], assumed: Assumed) -> dict[str, float]:
    """What a billion pictures take, as one file each or in tar files.

    Parameters
    ----------
    kind : {"folder", "tar files"}
        Where they are.
    measured : dict
        The documents of the results by their names.
    assumed : Assumed
        All else.
    """
    whole = measured["whole_set"]["undisturbed"]
    each = measured["bookkeeping"]["jobs"][f"ray, {kind}"]["each_further_picture"]
    read, written = (PICTURES * whole[name] / whole["pictures"] for name in ("source_nbytes", "nbytes"))
    processors = PICTURES * whole["cpu_seconds"] / whole["pictures"] / 3600
    together = assumed.in_a_tar if kind == "tar files" else 1
    sizes = [nbytes / PICTURES * together / (1e6 * assumed.request_mb) for nbytes in (read, written)]
    counted, files = measured["store_requests"]["each_further_file"][kind], PICTURES / together
    again = written if kind == "tar files" else 0  # a new tar file is read back for the hash in its row
    reads = files * (counted["HEAD"] + counted["GET"] - 1 + math.ceil(sizes[0]))
    writes = files * (counted["PUT"] - 1 + math.ceil(sizes[1]))
    memory = PICTURES * each["peak_nbytes"]
    jobs = math.ceil(memory / (1e9 * assumed.memory_gb))
    network = 8 * (read + again + written) / (1e9 * assumed.gbit_a_second * assumed.machines) / 3600
    return {
        "read_tb": (read + again) / 1e12,
        "written_tb": written / 1e12,
        "requests_millions": (reads + writes) / 1e6,
        "manifest_gb": PICTURES * each["manifest_nbytes"] / 1e9,
        "memory_gb": memory / 1e9,
        "jobs": jobs,
        "processor_hours": processors,
        "hours_of_processors": processors / (assumed.machines * assumed.processors),
        "hours_of_network": network,
        "hours_of_command": PICTURES * each["cpu_seconds"] / 3600,
        "dollars_of_processors": processors * assumed.processor_hour,
        "dollars_of_requests": (reads * assumed.million_reads + writes * assumed.million_writes) / 1e6,
        "dollars_saved_a_month": (read - written) / 1e9 * assumed.gb_month,
    }


def binds_first(figures: dict[str, float]) -> str:
    """What is short first: memory if one job is too large for it, else what takes the most hours."""
    if figures["jobs"] > 1:
        return "memory of the command"
    hours = {"processors": "hours_of_processors", "network": "hours_of_network", "the command": "hours_of_command"}
    return max(hours, key=lambda name: figures[hours[name]])


def then_binds(figures: dict[str, float], assumed: Assumed) -> str:
    """What takes the most hours once the pictures are divided into jobs that run side by side, one on each machine."""
    side_by_side = min(figures["jobs"], assumed.machines)
    return binds_first(figures | {"jobs": 1, "hours_of_command": figures["hours_of_command"] / side_by_side})


def needs() -> dict[str, Any]:
    """The documents that are computed with."""
    names = ("whole_set", "bookkeeping", "store_requests", "dataset")
    return {name: load_result(name) for name in names}


def billion_table(assumed: Assumed | None = None) -> str:
    """What a billion pictures take, one by one and in tar files."""
    assumed = assumed or Assumed()
    measured = needs()
    columns = [a_billion(kind, measured, assumed) for kind in ("folder", "tar files")]
    cluster = f"{assumed.machines} machines of {assumed.processors} processors"
    rows = {
        "read, TB": ("read_tb", ",.0f"),
        "written, TB": ("written_tb", ",.0f"),
        "requests to the store, millions": ("requests_millions", ",.0f"),
        "manifests, GB": ("manifest_gb", ",.0f"),
        "memory of the command, if it were one job, GB": ("memory_gb", ",.0f"),
        f"jobs at least, with {assumed.memory_gb:g} GB for each": ("jobs", ",.0f"),
        "processor hours": ("processor_hours", ",.0f"),
        f"hours of {cluster}": ("hours_of_processors", ".1f"),
        f"hours of their networks, {assumed.gbit_a_second:g} Gbit/s each": ("hours_of_network", ".1f"),
        "hours of the command, all jobs one after another": ("hours_of_command", ".1f"),
        f"processors, at {assumed.processor_hour:g} dollars an hour, dollars": ("dollars_of_processors", ",.0f"),
        f"requests, {assumed.million_reads:g} dollars a million to read and {assumed.million_writes:g} to write, "
        "dollars": ("dollars_of_requests", ",.0f"),
        f"saved each month, at {assumed.gb_month:g} dollars for a GB, dollars": ("dollars_saved_a_month", ",.0f"),
    }
    shown = [[title, *(f"{column[name]:{form}}" for column in columns)] for title, (name, form) in rows.items()]
    shown.append(["what is short first", *map(binds_first, columns)])
    shown.append(["then, with jobs side by side", *(then_binds(column, assumed) for column in columns)])
    return table(["a billion pictures", "a file each", f"in tar files of {assumed.in_a_tar}"], shown)


def coding_table(assumed: Assumed | None = None) -> str:
    """Processor hours and money for the encoding of a billion pictures of other sizes, from pixels to bytes."""
    assumed = assumed or Assumed()
    rows = []
    for size, case in needs()["dataset"]["cases"].items():
        for name, title in (("plain", "quality 75"), ("designed", "designed tables")):
            figures = case["equal quality"][name]
            hours = figures["1 workers"]["cpu_hours_a_million"] * PICTURES / 1e6
            written = f"{figures['nbytes'] * PICTURES / 1e12:,.0f}"
            rows.append([f"{size}, {title}", f"{hours:,.0f}", f"{hours * assumed.processor_hour:,.0f}", written])
    header = ["encoding a billion pictures", "processor hours"]
    return table([*header, f"dollars, at {assumed.processor_hour:g} an hour", "written, TB"], rows)


def whole_set_table() -> str:
    """What was done again after the kills, and how long the jobs took."""
    document = needs()["whole_set"]
    rows = [["never", "-", "-", "-", f"{document['undisturbed']['seconds']:.1f}", "-"]]
    for engine, title in (("threads", "one machine"), ("ray", "two nodes, Ray")):
        job = document[engine]
        kills = f"{len(job['kills'])} times" + (", and a node" if "lost_node" in job else "")
        seconds = job["killed_runs_seconds"] + job["last_run"]["seconds"]
        at_kills = [*job["kills"], *([job["lost_node"]] if "lost_node" in job else [])]
        left = [str(max(kill[name] for kill in at_kills)) for name in ("files_without_row", "unfinished")]
        again = f"{job['nothing_left']['seconds']:.1f}"
        rows.append([f"{kills} ({title})", *left, str(job["written_again"]), f"{seconds:.1f}", again])
    header = ["killed", "files without a row, at most", "unfinished files, at most", "files written again"]
    return table([*header, "seconds in all", "seconds to go on with nothing left"], rows)


if __name__ == "__main__":
    main()
