"""The option ``--plan`` of ``optcodec encode``: options from a file that ``optcodec fit`` has written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from optcodec.errors import InvalidInputError

__all__ = ["plan_option", "planned"]

_NOT_PLANNED = {"plan", "output", "force", "dry_run", "as_json"}  # options about the files of one run


plan_option = click.option(
    "--plan",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help='Options from a file that "optcodec fit" has written, as if they were given here.',
)


def planned(ctx: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a command with those of its plan.

    Raises
    ------
    InvalidInputError
        If the plan cannot be read, has an option that the command does not have, or that is on the command line as
        well, or a value that the option does not take.
    """
    path: Path | None = options["plan"]
    if path is None:
        return options
    from optcodec.fit.plan import load_plan

    known = {
        parameter.name: parameter
        for parameter in ctx.command.params
        if isinstance(parameter, click.Option) and parameter.expose_value and parameter.name not in _NOT_PLANNED
    }
    plan = load_plan(path).options
    unknown = sorted(plan.keys() - known.keys())
    if unknown:
        raise InvalidInputError(f"{path}: expected options of optcodec {ctx.info_name}, found {', '.join(unknown)}")
    for name in plan:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            spelled = "/".join(known[name].opts)
            raise InvalidInputError(f"{path} sets {spelled}, which is on the command line, too; expected one of both")
    return options | {name: _value(ctx, known[name], value, path) for name, value in plan.items()}


def _value(ctx: click.Context, option: click.Option, value: object, path: Path) -> Any:
    """A value of a plan as the option gives it."""
    refused = f"{path}: {'/'.join(option.opts)} does not take {value!r}"
    if option.multiple is not isinstance(value, list):
        raise InvalidInputError(f"{refused}; expected {'a list' if option.multiple else 'one value'}")
    parts = value if isinstance(value, list) else [value]
    if not all(isinstance(part, (str, int, float)) for part in parts):
        raise InvalidInputError(f"{refused}; expected text, a number, true or false")
    words = [str(part) for part in parts]  # as they would stand on the command line
    try:
        taken = option.type_cast_value(ctx, words if option.multiple else words[0])
    except click.BadParameter as error:
        raise InvalidInputError(f"{refused}: {error.message}") from None
    if not all(map(_is_alike, taken if option.multiple else [taken], parts)):
        raise InvalidInputError(f"{refused}; expected the JSON type of {taken!r}")
    return taken


def _is_alike(taken: object, value: object) -> bool:
    """Whether a value that was parsed is of the kind that the plan has: no text that became a number."""
    if isinstance(taken, Path):
        return str(taken) == value
    return taken == value and isinstance(taken, bool) is isinstance(value, bool)
