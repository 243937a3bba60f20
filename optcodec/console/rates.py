"""What ``optcodec rates`` and ``restore pipeline`` share: from options to a run, its result file and its tables."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optcodec.console.options import one_of
from optcodec.console.rate_options import SELF
from optcodec.console.senders import sender_of
from optcodec.errors import InvalidInputError

if TYPE_CHECKING:
    from optcodec.rates.experiment import Judge, Original
    from optcodec.rates.measures import Measure
    from optcodec.rates.rates import Rate
    from optcodec.rates.senders import Sender

__all__ = ["anchor_of", "classified", "labelled_originals", "rates_of", "senders_of", "state_of"]

_NUMBERS = {"bpp": "bpp", "match_psnr": "psnr", "match_ssim": "ssim", "fixed": "quality"}  # option: kind of rate
_DEFAULT_BPP = (0.25, 0.4, 0.6, 0.9, 1.2)


def senders_of(options: dict[str, Any]) -> tuple[Sender, ...]:
    """The senders of ``--sender``."""
    return tuple(sender_of(text, options["subsampling"]) for text in options["senders"])


def anchor_of(options: Mapping[str, Any], senders: Iterable[Sender]) -> str:
    """Name of the sender of ``--anchor``."""
    names = [sender.name for sender in senders]
    anchor: str = names[0] if options["anchor"] is None else options["anchor"]
    if anchor not in names:
        raise InvalidInputError(f"--anchor {anchor!r} is not among the senders; expected one of {', '.join(names)}")
    return anchor


def rates_of(options: dict[str, Any], senders: Iterable[Sender]) -> tuple[tuple[Rate, ...], Sender | None]:
    """The rates, and the sender whose bytes are the limit, if there is one."""
    from optcodec.rates.rates import Rate

    names = (*_NUMBERS, "bytes_of")
    chosen = one_of({f"--{name.replace('_', '-')}": options[name] for name in names})
    if options["bytes_of"] is None:
        name = "bpp" if chosen is None else chosen[2:].replace("-", "_")
        return tuple(Rate(_NUMBERS[name], value) for value in options[name] or _DEFAULT_BPP), None
    label, sign, qualities = options["bytes_of"].rpartition("@")
    if not sign or not re.fullmatch(r"\d+(,\d+)*", qualities):
        raise InvalidInputError(f"--bytes-of is SENDER@Q,..., such as jpeg@10,30; got {options['bytes_of']!r}")
    by_name = {sender.name: sender for sender in senders}
    reference = by_name[label] if label in by_name else sender_of(label, options["subsampling"])
    return tuple(Rate("bytes", int(quality)) for quality in qualities.split(",")), reference


def labelled_originals(originals: list[Original], labels: str) -> list[Original]:
    """The pictures with their classes from a CSV file, as ``--labels`` names it; those it does not name are left out.

    Raises
    ------
    InvalidInputError
        If the file is not as expected, or names none of the pictures.
    """
    if labels == SELF:
        return originals
    from optcodec.vision.datasets import read_labels

    classes = read_labels(Path(labels))
    known = [replace(original, label=classes[original.name]) for original in originals if original.name in classes]
    if not known:
        raise InvalidInputError(f"{labels} has labels of other files; expected names such as {originals[0].name}")
    return known


def classified(options: dict[str, Any], judge: Judge) -> tuple[Judge, dict[str, Measure]]:
    """The measures with those of the network of ``--classify``, and the descriptions of the latter."""
    if options["classify"] is None:
        for name in ("classify_weights", "labels"):
            if options[name] not in (None, SELF):
                raise InvalidInputError(f"--{name.replace('_', '-')} is for a classifier; expected it with --classify")
        return judge, {}
    from optcodec.console.models import open_model
    from optcodec.rates.classify import NETWORK_MEASURES, judge_by_network

    target = open_model(options["classify"], weights=options["classify_weights"], device="cpu")
    return judge_by_network(target, judge), NETWORK_MEASURES


def state_of(options: Mapping[str, Any], left_out: Container[str]) -> dict[str, Any]:
    """What the rows of a run depend on, so that an interrupted one does not continue with anything else.

    Parameters
    ----------
    options : mapping
        All options of the command.
    left_out : container of str
        Names of options on which no row depends.

    Returns
    -------
    dict
        JSON values: the other options, and the SHA-256 of the files that these name, such as weights.
    """
    texts = {name: value for name, value in options.items() if name not in left_out}
    words = [word for value in texts.values() for word in (value if isinstance(value, tuple) else (value,))]
    return {"options": json.loads(json.dumps(texts, default=str)), "files": _files_named(map(str, words))}


def _files_named(texts: Iterable[str]) -> dict[str, str]:
    """SHA-256 of the files that texts of options name."""
    pieces = dict.fromkeys(piece for text in texts for piece in (text, *re.split(r"[=,+:]", text)))
    files = [piece for piece in pieces if piece and Path(piece).is_file()]
    return {file: hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files}
