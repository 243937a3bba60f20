"""``optcodec warm-up``: compile all kernels in advance, so that no later run has to wait for it."""

from __future__ import annotations

import time

import click

from optcodec.console.show import count, json_option, print_json

__all__ = ["command"]


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Compile all kernels now, and keep them for later runs.

    Otherwise each verb compiles the kernels that it needs on its first run. They are stored in the folder that
    OPTCODEC_CACHE names, by default in the user's cache folder. It must belong to you or to root, and nobody else may
    have permission to write to it.

    In a Dockerfile, name a folder that the user of the container can read:

    \b
        ENV OPTCODEC_CACHE=/opt/optcodec
        RUN optcodec warm-up

    The code is for the processor type that it was compiled on. On another type the kernels are compiled again, and in
    every process if the folder is read-only. For a container that runs on several types, name one that all of them
    support, such as x86-64 with AVX2:

    \b
        ENV NUMBA_CPU_NAME=x86-64-v3 NUMBA_CPU_FEATURES=+fma
    """
    from optcodec.kernels import warm_up

    start = time.perf_counter()
    done = warm_up()
    seconds = time.perf_counter() - start
    if as_json:
        print_json(
            {
                "folder": str(done.folder),
                "processor": done.processor,
                "files": [
                    {"name": name, "kernels": kernels, "compiled": name in done.compiled}
                    for name, kernels in done.kernels.items()
                ],
                "seconds": seconds,
            }
        )
        return
    known = f"{count(sum(done.kernels.values()), 'kernel')} in {count(len(done.kernels), 'file')}"
    compiled = f"{len(done.compiled)} of the files compiled now" if done.compiled else "all compiled before"
    click.echo(f"{known} for {done.processor} in {done.folder}: {compiled}, {seconds:.1f} s")
