"""Plans in Python: arguments of `optcodec.encode` from a file that ``optcodec fit`` has written."""

from __future__ import annotations

import os
from typing import Any

from optcodec.cli.encode import command
from optcodec.cli.encode_settings import job_of, tuning_of
from optcodec.cli.plan import planned
from optcodec.errors import InvalidInputError

__all__ = ["plan_settings"]

_OF_FILES = "short_side", "shared_tables"  # options of a plan about more than the pixels of one picture


def plan_settings(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Arguments of `optcodec.encode` with which pixels are coded as ``optcodec encode --plan`` does it, on one thread.

    Raises
    ------
    InvalidInputError
        If the plan cannot be read, or asks for other pixels.
    """
    with command.make_context("encode", ["picture", "--plan", os.fspath(path)]) as ctx:
        options = planned(ctx, ctx.params)
    for name in _OF_FILES:
        if options[name]:
            spelled = name.replace("_", "-")
            raise InvalidInputError(f"{path} has --{spelled}, which is not about the coding of one picture's pixels")
    return dict(job_of(options, tuning_of(options), None, threads=1).settings)
