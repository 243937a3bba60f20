"""The cost of a receiver: model size, operations, time and memory.

Time and memory are measured in a child process, which runs this module as a program (``python -m
restore.evaluation.cost``): it reads the request as JSON from stdin, and writes the result as JSON to stdout.
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

__all__ = ["measure_cost", "peak_nbytes"]

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def measure_cost(receiver_name: str, data: bytes, *, colour: bool, repeats: int = 5) -> dict[str, Any]:
    """Size, operations, latency and memory of a receiver on one file.

    Parameters
    ----------
    receiver_name : str
        As for `restore.evaluation.receivers.make_receiver`.
    data : bytes
        The JPEG file.
    colour : bool
        Whether the file has colour.
    repeats : int
        Number of timed runs, after one run that is not timed; the median is returned.

    Returns
    -------
    dict
        ``model_nbytes`` and ``macs_per_pixel`` (None without a model); ``seconds_one_thread``,
        ``seconds_all_threads``, ``threads``; ``peak_nbytes`` of the process with all threads, including the
        interpreter and its libraries.

    Raises
    ------
    InvalidInputError
        If there is no such receiver, or the child process fails.
    """
    from restore.evaluation.receivers import make_receiver
    from restore.runtime.models import processors

    receiver = make_receiver(receiver_name, colour=colour, threads=1)
    one_thread, all_threads = (
        _measure_in_child(receiver_name, data, colour, repeats, single) for single in (True, False)
    )
    return {
        "model_nbytes": receiver.nbytes,
        "macs_per_pixel": receiver.count_macs() if receiver.count_macs else None,
        "seconds_one_thread": one_thread["seconds"],
        "seconds_all_threads": all_threads["seconds"],
        "threads": processors(),
        "peak_nbytes": all_threads["peak_nbytes"],
    }


def _measure_in_child(receiver_name: str, data: bytes, colour: bool, repeats: int, single: bool) -> dict[str, Any]:
    request = {"receiver": receiver_name, "colour": colour, "repeats": repeats, "single": single}
    request["file"] = base64.b64encode(data).decode()
    threads = dict.fromkeys(_THREAD_VARIABLES, "1") if single else {}
    # the child finds modules where this process does, but (-P) not in the current folder, which has the user's files
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
        last_line = (child.stderr.strip().splitlines() or [f"exit status {child.returncode}"])[-1]
        raise InvalidInputError(f"cannot measure what {receiver_name} costs: {last_line}")
    result: dict[str, Any] = json.loads(child.stdout)
    return result


def _measure(request: dict[str, Any]) -> dict[str, Any]:
    if request["single"] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one processor, however many threads a library starts
    from restore.evaluation.receivers import make_receiver

    receiver = make_receiver(request["receiver"], colour=request["colour"], threads=1 if request["single"] else None)
    data, seconds = base64.b64decode(request["file"]), []
    for _ in range(request["repeats"] + 1):
        start = time.perf_counter()
        receiver.receive(data)
        seconds.append(time.perf_counter() - start)
    return {"seconds": statistics.median(seconds[1:]), "peak_nbytes": peak_nbytes()}


def peak_nbytes() -> int:
    """Peak memory of this process. On Linux it is read from /proc: ru_maxrss also counts the memory of the parent."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    print(json.dumps(_measure(json.load(sys.stdin))))
