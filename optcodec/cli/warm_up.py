"""``optcodec warm-up``: compile all kernels ahead, so that no later run has to wait for it."""

from __future__ import annotations

import time

import click

from optcodec.console.show import count, json_option, print_json

__all__ = ["command"]


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Compile all kernels now, and keep them for later runs.

    Without this, each verb compiles the kernels that it needs when it first runs. OPTCODEC_CACHE names the folder that
    keeps them; without it, that is the user's cache folder. It must belong to you or to root, and nobody else may be
    able to write to it.

    In a Dockerfile, name a folder that the user of the container can read:

    \b
        ENV OPTCODEC_CACHE=/opt/optcodec
        RUN optcodec warm-up

    The code is for the kind of processor that it was compiled on. On another kind it is compiled again, and by each
    process where the folder cannot be written to. For an image that runs on many kinds, name one that all of them can
    stand for, such as all x86-64 processors with AVX2:

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
