"""What a receiver costs: operations, time and memory, the latter two in a process of its own.

As a program (``python -m restore.evaluation.cost``) it is that process: it reads what to measure as JSON from stdin.
"""

from __future__ import annotations

import base64
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from optcodec import InvalidInputError
from optcodec.shared import processor_count

__all__ = ["measure_cost", "peak_nbytes"]

_LIBRARIES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def measure_cost(given: str, data: bytes, *, colour: bool, repeats: int = 5) -> dict[str, Any]:
    """Size, operations, latency and memory of a receiver on one file.

    Parameters
    ----------
    given : str
        For `restore.evaluation.receivers.make_receiver`.
    data : bytes
        The JPEG file.
    colour : bool
        Whether the file has colour.
    repeats : int
        Runs that are timed, after one that is not; the median counts.

    Returns
    -------
    dict
        ``model_nbytes`` and ``macs_per_pixel`` (None without a model); ``seconds_one_thread``,
        ``seconds_all_threads``, ``threads``; ``peak_nbytes`` of the process with all threads, the interpreter and
        libraries included.

    Raises
    ------
    InvalidInputError
        If the receiver does not run.
    """
    from restore.evaluation.receivers import make_receiver

    receiver = make_receiver(given, colour=colour, threads=1)
    one, every = (_in_child(given, data, colour, repeats, single) for single in (True, False))
    return {
        "model_nbytes": receiver.nbytes,
        "macs_per_pixel": receiver.count_macs() if receiver.count_macs else None,
        "seconds_one_thread": one["seconds"],
        "seconds_all_threads": every["seconds"],
        "threads": processor_count(),
        "peak_nbytes": every["peak_nbytes"],
    }


def _in_child(given: str, data: bytes, colour: bool, repeats: int, single: bool) -> dict[str, Any]:
    request = {"receiver": given, "colour": colour, "repeats": repeats, "single": single}
    request["file"] = base64.b64encode(data).decode()
    threads = dict.fromkeys(_LIBRARIES, "1") if single else {}
    # modules are found where this process finds them; with -m alone also in the current folder, among the user's images
    path = os.pathsep.join(map(os.path.abspath, sys.path))
    child = subprocess.run(
        [sys.executable, "-P", "-m", "restore.evaluation.cost"],
        input=json.dumps(request),
        env=os.environ | threads | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if child.returncode:
        last = (child.stderr.strip().splitlines() or [f"exit status {child.returncode}"])[-1]
        raise InvalidInputError(f"cannot measure what {given} costs: {last}")
    answer: dict[str, Any] = json.loads(child.stdout)
    return answer


def _child(request: dict[str, Any]) -> dict[str, Any]:
    if request["single"] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # whatever a library thinks of threads
    from restore.evaluation.receivers import make_receiver

    receiver = make_receiver(request["receiver"], colour=request["colour"], threads=1 if request["single"] else None)
    data, seconds = base64.b64decode(request["file"]), []
    for _ in range(request["repeats"] + 1):
        start = time.perf_counter()
        receiver.receive(data)
        seconds.append(time.perf_counter() - start)
    return {"seconds": statistics.median(seconds[1:]), "peak_nbytes": peak_nbytes()}


def peak_nbytes() -> int:
    """Most memory that this process had. Linux counts its parent's into ru_maxrss, so the other file comes first."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    print(json.dumps(_child(json.load(sys.stdin))))
