"""Run work on the machines of a Ray cluster; what the work is, is not known here.

Tasks are used, and no actors: an actor that waits for the GPU or processor of a machine that is gone keeps its work,
while a task is given to any other machine. What takes long to make, such as a network, is made once for each process
all the same, since Ray gives the next task to a process that has ended one.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from optcodec.errors import InvalidInputError, OptcodecError
from optcodec.extras import require_packages
from optcodec.pictures.opening import first_line

__all__ = ["Cluster", "Lost", "connected"]

_RETRIES = 3  # of a task whose worker died, before it is divided
_PATIENCE = 10  # seconds to wait for a connection
_AHEAD = 2  # tasks for each worker that run or wait: with more, less is known of when a disk is full


class Opened(Protocol):
    """What a worker keeps; `opened` makes it."""

    def opened(self) -> Callable[..., Any]:
        """Make what is called for each task."""


@dataclass(frozen=True)
class Lost:
    """In place of a result: the worker died each time; `reason` says how."""

    reason: str


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster that this process is connected to.

    Parameters
    ----------
    gpus : float
        GPUs for each worker, such as 0.5.
    most : int, optional
        Largest number of workers; by default one for each processor of the cluster.
    """

    gpus: float = 0.0
    most: int | None = None

    @property
    def workers(self) -> int:
        """Number of tasks that run at the same time: clusters may grow.

        Raises
        ------
        InvalidInputError
            If the cluster has no processor or GPU for one task, and tasks would wait for ever.
        """
        import ray

        resources = ray.cluster_resources()
        processors, gpus = resources.get("CPU", 0.0), resources.get("GPU", 0.0)
        if processors < 1 or gpus < self.gpus:
            found = f"{processors:g} processors and {gpus:g} GPUs"
            raise InvalidInputError(f"a worker needs 1 processor and {self.gpus:g} GPUs; the Ray cluster has {found}")
        count = int(processors) if not self.gpus else min(int(processors), int(gpus / self.gpus))
        return max(1, count if self.most is None else min(count, self.most))

    def prepare(self, check: Callable[[], None]) -> None:
        """Check each machine of the cluster, and compile the kernels on it, before the work.

        Parameters
        ----------
        check : callable
            Raises `OptcodecError` on a machine that cannot work.

        Raises
        ------
        OptcodecError
            Of the first machine that cannot.
        """
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
        machines = {node["NodeManagerHostname"]: node["NodeID"] for node in nodes}
        with _explained():
            begun = []
            for node in machines.values():
                there = NodeAffinitySchedulingStrategy(node, soft=True)
                task = ray.remote(_prepared).options(num_cpus=0, scheduling_strategy=there)
                begun.append(task.remote(Path.cwd(), check))
            for task in begun:
                task.future().result()

    def results(
        self, work: Opened, calls: Iterable[Any], *, divided: Callable[[Any], Sequence[Any]] | None = None
    ) -> Generator[tuple[Any, Any], None, None]:
        """Call ``work.opened()``, once for each process, with each of these arguments, on the workers.

        A call whose worker dies is done again, on any machine. What is left when the iteration ends early is
        cancelled.

        Parameters
        ----------
        work : object
            Can be pickled.
        calls : iterable
            The argument of each call; taken as workers become free.
        divided : callable, optional
            Divides an argument with which workers died each time into smaller ones, to find the one that kills them.

        Yields
        ------
        tuple of (argument, result or Lost)
            As they are done.

        Raises
        ------
        OptcodecError
            Of the work, or if the cluster fails.
        """
        import ray

        waiting, again, running = iter(calls), deque[Any](), dict[Future[Any], tuple[Any, Any]]()
        with _explained():
            kept = ray.put((Path.cwd(), work))
            remote = ray.remote(_called).options(num_gpus=self.gpus, max_retries=_RETRIES)
            try:
                while True:
                    while len(running) < self._ahead():
                        call = again.popleft() if again else next(waiting, _END)
                        if call is _END:
                            break
                        task = remote.remote([kept], call)
                        running[task.future()] = task, call
                    if not running:
                        return
                    ready = next(iter(wait(running, return_when=FIRST_COMPLETED).done))
                    _, call = running.pop(ready)
                    result = _result_of(ready)
                    parts = divided(call) if isinstance(result, Lost) and divided is not None else ()
                    if len(parts) > 1:
                        again += parts
                    else:
                        yield call, result
            finally:
                _cancel([task for task, _ in running.values()])

    def _ahead(self) -> int:
        return self.workers if self.most is not None else _AHEAD * self.workers


@contextmanager
def connected(address: str | None, *, gpus: float = 0.0, most: int | None = None) -> Iterator[Cluster]:
    """Connect to a Ray cluster.

    Parameters
    ----------
    address : str, optional
        Such as ``10.0.0.1:6379``, or ``ray://10.0.0.1:10001``. By default what RAY_ADDRESS says, or a cluster that runs
        on this machine, or a new one on this machine alone.
    gpus, most
        As of `Cluster`.

    Raises
    ------
    InvalidInputError
        If Ray is not installed, or cannot be reached.
    """
    require_packages("ray")
    import ray

    if address is not None:
        _check_reachable(address)
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    except (ImportError, OSError, RuntimeError, ValueError) as error:  # what ray:// needs may not be installed
        where = "start Ray on this machine" if address is None else f"connect to Ray at {address}"
        raise InvalidInputError(f"cannot {where}: {first_line(error)}") from None
    try:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)  # Ray has replaced it by its own
        yield Cluster(gpus, most)
    finally:
        ray.shutdown()


_END = object()


def _check_reachable(address: str) -> None:
    """Raise `InvalidInputError` if nobody listens at an address: Ray itself would try for a long time."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host or not port.isdecimal():
        if address in ("auto", "local"):
            return
        raise InvalidInputError(f"expected the address of a Ray cluster, such as 10.0.0.1:6379, got {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise InvalidInputError(f"cannot connect to Ray at {address}: {reason}") from None


@contextmanager
def _explained() -> Iterator[None]:
    """Turn errors of Ray into ours; those that the work has raised on another machine are raised here."""
    from ray import exceptions

    try:
        yield
    except exceptions.RayTaskError as error:
        cause = error.cause
        raise (cause if isinstance(cause, OptcodecError) else error) from None
    except exceptions.RayError as error:
        raise InvalidInputError(f"Ray has ended the job: {first_line(error)}") from None


def _result_of(ready: Future[Any]) -> Any:
    """The result of a task, or `Lost`."""
    from ray import exceptions as of_ray

    try:
        return ready.result()
    except (of_ray.WorkerCrashedError, of_ray.NodeDiedError, of_ray.OutOfMemoryError, of_ray.ObjectLostError) as error:
        short = isinstance(error, of_ray.OutOfMemoryError)
        why = "the machine had not enough memory" if short else "the process or its machine ended"
        return Lost(f"its worker died {_RETRIES + 1} times: {why}")


def _cancel(running: list[Any]) -> None:
    """End the calls that were not waited for."""
    import ray

    with suppress(Exception):  # the cluster may be gone
        for ready in running:
            ray.cancel(ready)
        ray.wait(running, num_returns=len(running), timeout=_PATIENCE)


def _called(kept: list[Any], call: Any) -> Any:
    """A task: call what this process keeps."""
    return _opened(kept[0])(call)


@lru_cache(maxsize=1)
def _opened(kept: Any) -> Callable[..., Any]:
    """What this process keeps of an object of Ray, of which one process sees only one."""
    import ray

    folder, work = ray.get(kept)
    _go_to(folder)
    opened: Callable[..., Any] = work.opened()
    return opened


def _go_to(folder: Path) -> None:
    """Let relative paths mean the same as in the process that started the job, if this machine has its folder."""
    with suppress(OSError):
        os.chdir(folder)


def _prepared(folder: Path, check: Callable[[], None]) -> None:
    """A task on each machine, before the work."""
    from optcodec.kernels import warm_up

    _go_to(folder)
    check()
    with suppress(OptcodecError):  # a folder that cannot be written to: each process compiles for itself
        warm_up()
