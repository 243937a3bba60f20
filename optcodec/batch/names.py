"""Names of coded files, and what is refused before the work begins: two files with one name, or inputs replaced."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Literal, TypeAlias

from optcodec.batch.places import Place, Store
from optcodec.errors import InvalidInputError
from optcodec.pictures.opening import JPEG_SUFFIXES

__all__ = ["SUFFIX_RULES", "SuffixRule", "check_targets", "is_below", "output_names", "same_file"]

SuffixRule: TypeAlias = Literal["keep", "number"]
SUFFIX_RULES: tuple[SuffixRule, ...] = ("keep", "number")


def output_names(
    names: Sequence[PurePath], rule: SuffixRule | None = None, taken: Mapping[int, PurePath] | None = None
) -> list[PurePath]:
    """Names of the coded files of pictures, relative to the output folder.

    Parameters
    ----------
    names : sequence of PurePath
        Of the pictures, relative to their folder.
    rule : {"keep", "number"}, optional
        By default the suffix is replaced by .jpg, and two pictures may get one name. ``"keep"`` appends .jpg to the
        name, unless its suffix is that of a JPEG file. ``"number"`` replaces the suffix, and where that name is taken
        by another picture adds the first number from 2 on that is free: ``a.bmp`` and ``a.png`` give ``a.jpg`` and
        ``a-2.jpg``.
    taken : mapping of int to PurePath, optional
        Names that were chosen before, for some of the pictures by their index.
    """
    if rule == "keep":
        return [name if name.suffix.lower() in JPEG_SUFFIXES else name.with_name(f"{name.name}.jpg") for name in names]
    if rule is None:
        return [name.with_suffix(".jpg") for name in names]
    chosen = dict(taken or {})
    used = set(chosen.values())
    later: list[int] = []
    for index, name in enumerate(names):  # all that can have their own names come first
        plain = name.with_suffix(".jpg")
        if index in chosen:
            continue
        if plain in used:
            later.append(index)
        else:
            chosen[index] = plain
            used.add(plain)
    numbers: dict[PurePath, int] = {}
    for index in later:
        plain = names[index].with_suffix(".jpg")
        number = numbers.get(plain, 2)
        while (numbered := plain.with_name(f"{plain.stem}-{number}.jpg")) in used:
            number += 1
        numbers[plain] = number + 1
        chosen[index] = numbered
        used.add(numbered)
    return [chosen[index] for index in range(len(names))]


def check_targets(sources: Sequence[Place], targets: Sequence[Place], *, force: bool, hint: str = "") -> None:
    """Refuse outputs of the same name, outputs that would replace another input, and, without force, their own.

    Parameters
    ----------
    sources, targets : sequence of Path, Url or Member
        The inputs, and the output of each.
    force : bool
        Allow outputs to replace the inputs that they are made from.
    hint : str
        What else may be expected of two inputs whose outputs have one name, for the message.

    Raises
    ------
    InvalidInputError
        The message names the files.
    """
    source_of: dict[Path | str, Place] = {}
    inputs, outputs = [_identity(source) for source in sources], [_identity(target) for target in targets]
    for source, target, place in zip(sources, targets, outputs, strict=True):
        first = source_of.setdefault(place, source)
        if first != source:
            raise InvalidInputError(f"{first} and {source} would both be written to {target}; expected two names{hint}")
    read = set(inputs)
    for source, target, own, place in zip(sources, targets, inputs, outputs, strict=True):
        if place not in read:
            continue
        if place != own:  # it might be replaced before it is read
            raise InvalidInputError(
                f"{source} would be written to {target}, which is an input, too; expected another output, "
                "or one of the two as input"
            )
        if not force:
            raise InvalidInputError(f"{target} is an input; expected another output, or --force to replace it")


def is_below(name: PurePath) -> bool:
    """Whether a relative name leads to a file below its folder."""
    return bool(name.name) and not name.is_absolute() and ".." not in name.parts


def same_file(source: Place, target: Store) -> bool:
    """Whether the output replaces the input."""
    return _identity(source) == _identity(target)


def _identity(place: Place) -> Path | str:
    return Path(os.path.realpath(place)) if isinstance(place, Path) else str(place)
