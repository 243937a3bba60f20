"""The directive ``commands``: all verbs of a command with all their options, as the command itself tells them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import click
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

import optcodec.cli
import restore.cli
from optcodec.console.help import GroupedCommand

__all__ = ["setup"]

_PROGRAMS = {"optcodec": optcodec.cli.main, "restore": restore.cli.main}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Commands(Directive):
    """All verbs of the command whose name is the argument."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        context = click.Context(_PROGRAMS[name], info_name=name)
        return [_section(each, self.state) for each in _verbs(context)]


def _verbs(context: click.Context) -> Iterator[click.Context]:
    """Contexts of the verbs of a group, those of groups inside after each other."""
    group = context.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        if isinstance(command, click.Group):
            yield from _verbs(inner)
        else:
            yield inner


def _section(context: click.Context, state: Any) -> nodes.section:
    command, name = context.command, context.command_path
    section = nodes.section(ids=[nodes.make_id(name)], names=[nodes.fully_normalize_name(name)])
    section += nodes.title(name, name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    section += nodes.literal_block(usage, usage, language="text")
    for paragraph in (command.help or "").split("\n\n"):
        text = " ".join(paragraph.split())
        section += _paragraph(text)
    for title, options in _groups(command, context):
        rows = [row for each in options if (row := each.get_help_record(context)) is not None]
        if rows:
            section += nodes.rubric(title, title)
            section += _definitions(rows)
    for line, about in getattr(command, "examples", ()):
        section += nodes.paragraph("", f"{about}:")
        example = f"{name} {line}"
        section += nodes.literal_block(example, example, language="console")
    state.document.note_implicit_target(section, section)
    return section


def _groups(command: click.Command, context: click.Context) -> list[tuple[str, list[click.Option]]]:
    if isinstance(command, GroupedCommand):
        return list(zip(("Options", "More options", "Expert options"), command.sections(context), strict=True))
    return [("Options", [each for each in command.get_params(context) if isinstance(each, click.Option)])]


def _paragraph(text: str) -> nodes.paragraph:
    """A text in which options are set as code, so that no line ends within one."""
    paragraph = nodes.paragraph()
    for part in re.split(r"((?<![\w-])--?[a-zA-Z][\w-]*)", text):
        paragraph += nodes.literal(part, part) if part.startswith("-") else nodes.Text(part)
    return paragraph


def _definitions(rows: list[tuple[str, str]]) -> nodes.definition_list:
    found = nodes.definition_list(classes=["options"])
    for option, about in rows:
        item = nodes.definition_list_item()
        item += nodes.term("", "", nodes.literal(option, option))
        item += nodes.definition("", _paragraph(about))
        found += item
    return found
