"""A Ray cluster of two nodes on this machine, which benchmarks give their work to."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["cluster_of_two", "lose"]

_NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}
_PATIENCE = 60  # seconds for the processes of a node to end


@contextmanager
def cluster_of_two() -> Iterator[Any]:
    """A head node, and a second one as ``second``, with one processor each."""
    from ray.cluster_utils import Cluster

    os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")  # a busy machine needs more than Ray's default
    cluster = Cluster(initialize_head=True, head_node_args={**_NODE, "include_dashboard": False})
    try:
        cluster.second = cluster.add_node(**_NODE)
        yield cluster
    finally:
        cluster.shutdown()


def lose(cluster: Any) -> int:
    """Kill the second node and wait until its workers have ended; their number."""
    workers = _workers_of(cluster.second)
    cluster.remove_node(cluster.second, allow_graceful=False)
    limit = time.monotonic() + _PATIENCE
    while any(map(_runs, workers)):
        if time.monotonic() > limit:
            raise TimeoutError(f"workers of a node that was killed still run after {_PATIENCE} s")
        time.sleep(0.01)
    return len(workers)


def _workers_of(node: Any) -> list[int]:
    """The processes that the scheduler of a node has started."""
    (scheduler,) = node.all_processes["raylet"]
    children = Path(f"/proc/{scheduler.process.pid}/task/{scheduler.process.pid}/children")
    return [int(child) for child in children.read_text().split()]


def _runs(process: int) -> bool:
    """Whether a process is there, and is no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
