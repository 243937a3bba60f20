"""Files of utility profiles: where the shipped ones are, and JSON as text."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from optcodec.errors import InvalidInputError
from optcodec.files import write_whole
from optcodec.jsontext import parse_json

__all__ = ["parse_profile", "profile_text", "shipped_utility_profiles", "write_profile"]

_FORMAT = "optcodec utility profile 1"


def shipped_utility_profiles() -> tuple[str, ...]:
    """Names of the profiles that come with the package."""
    folder = files("optcodec") / "data" / "utility"
    names = (entry.name for entry in folder.iterdir()) if folder.is_dir() else ()
    return tuple(sorted(name.removesuffix(".json") for name in names if name.endswith(".json")))


def profile_text(name_or_path: str | os.PathLike[str]) -> str:
    """Text of a shipped profile, or of a file.

    Raises
    ------
    InvalidInputError
        If there is no such profile, or the file is not text.
    """
    place = Path(name_or_path)
    if isinstance(name_or_path, str) and name_or_path in shipped_utility_profiles():
        place = Path(str(files("optcodec") / "data" / "utility" / f"{name_or_path}.json"))
    try:
        return place.read_text("utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        known = ", ".join(shipped_utility_profiles()) or "(none yet)"
        raise InvalidInputError(
            f"a utility profile is a JSON file or one of {known}; cannot read {os.fspath(name_or_path)!r}: {reason}"
        ) from None


def parse_profile(text: str) -> dict[str, Any]:
    """Values of a profile's JSON by name; which they are is not checked.

    Raises
    ------
    InvalidInputError
        If it is not the JSON of a profile.
    """
    document = parse_json(text, "the JSON of a utility profile")
    found = document.pop("format", None) if isinstance(document, dict) else type(document).__name__
    if found != _FORMAT:
        raise InvalidInputError(f"expected a JSON object with format {_FORMAT!r}, found {found!r}")
    return dict(document)


def write_profile(path: str | os.PathLike[str], document: Mapping[str, Any]) -> None:
    """Write the values of a profile as JSON; numbers keep every digit.

    Raises
    ------
    InvalidInputError
        If the file cannot be written. There is then no file, or the old one.
    """
    lines = [f'"{key}": {_json(value)}' for key, value in ({"format": _FORMAT} | dict(document)).items()]
    write_whole(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def _json(value: Any) -> str:
    """JSON of a field; of a list of lists, one a line."""
    return json.dumps(value).replace("], [", "],\n  [")
