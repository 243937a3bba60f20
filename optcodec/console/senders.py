"""Senders as text: ``jpeg=pillow``, ``optcodec:tune=psnr,progressive``, ``mine=package.module:function``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from optcodec.console.form import form_of, form_options
from optcodec.console.modules import find_modules_here
from optcodec.console.options import file_subsampling_option, method_option, profile_option
from optcodec.console.readers import joined, named_reader, reader_options
from optcodec.console.tuning import tuned, tuning_options
from optcodec.errors import InvalidInputError
from optcodec.limits import MAX_PIXELS

if TYPE_CHECKING:
    from optcodec.loop.reader import Readers
    from optcodec.rates.senders import Sender

__all__ = ["labelled", "sender_of"]

_OWN = "optcodec"


@click.command(add_help_option=False)
@profile_option
@method_option
@tuning_options
@reader_options
@file_subsampling_option
@form_options
def _own(**options: Any) -> None:
    """The options of ``optcodec encode`` that a sender may have; only their parser is used."""


def labelled(text: str) -> tuple[str, str]:
    """Split ``LABEL=NAME`` into both; without a label, the whole text is the label, too.

    A label has none of ``:``, ``,`` and ``/``, which options and paths may have before the sign ``=``.
    """
    label, separator, name = text.partition("=")
    if separator and label and not set(label) & set(":,/"):
        return label, name
    return text, text


def sender_of(text: str, subsampling: str) -> Sender:
    """Make the sender that a text names.

    Parameters
    ----------
    text : str
        ``[LABEL=]SENDER``. SENDER is ``optcodec``, with options of ``optcodec encode`` after a colon, separated by
        commas and without their dashes (``optcodec:effort=3,tune=psnr,smaller``); or what
        `optcodec.rates.senders.peer_sender` takes. A module may also lie in the working folder.
    subsampling : str
        Chroma subsampling, where the options have none.

    Raises
    ------
    InvalidInputError
        If there is no such sender or option, or the options contradict one another.
    """
    from optcodec.rates.senders import OptcodecSender, peer_sender

    label, name = labelled(text)
    family, _, options = name.partition(":")
    if family == _OWN:
        return OptcodecSender(label, _arguments(name, options, subsampling))
    find_modules_here(name)
    return peer_sender(label, name)


def _arguments(name: str, options: str, subsampling: str) -> dict[str, Any]:
    """Arguments of `optcodec.encode` of options as text."""
    from optcodec.targets import MaxBytes

    words = []
    for option in filter(None, options.split(",")):
        key, equals, value = option.partition("=")
        words += [f"--{key}", *([value] if equals else [])]
    try:
        parsed = _own.make_context(name, words).params
        parsed["subsampling"] = parsed["subsampling"] or subsampling
        mask = {"background": None, "max_pixels": MAX_PIXELS, "orient": "keep"}  # how that of roi is opened
        chosen, form = parsed | mask | {"tables": None}, form_of(parsed)
        # What the options mean with a target; effort 1 has none, and meets sizes by whole qualities.
        fixed = parsed["effort"] == 1
        tuning = tuned(chosen, 75 if fixed else None, None if fixed else MaxBytes(1))
        reader = _reader(tuning.readers, parsed["fidelity"])
    except click.ClickException as error:
        raise InvalidInputError(f"{name}: {error.format_message()}") from None
    except InvalidInputError as error:
        raise InvalidInputError(f"{name}: {error}") from None
    settings = {key: value for key, value in tuning.settings.items() if key not in ("quality", "target")}
    if tuning.effort == 4:
        settings |= {"reader": reader, "rounds": parsed["rounds"]}
    return settings | {"method": parsed["method"], "subsampling": parsed["subsampling"]} | form


def _reader(names: Sequence[str], fidelity: float | None) -> Readers | None:
    """The readers of the files; None without any."""
    if not names and fidelity is not None:
        raise InvalidInputError("fidelity is for readers; expected reader=NAME as well")
    return joined([named_reader(name) for name in names], fidelity) if names else None
