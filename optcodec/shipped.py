"""Files that come with a package under a name, or that users bring: profiles, QP-NETs, recipes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from optcodec.errors import InvalidInputError

__all__ = ["PROFILES", "QPNETS", "UTILITY_PROFILES", "ShippedFiles"]


@dataclass(frozen=True)
class ShippedFiles:
    """The files of one kind.

    Parameters
    ----------
    what : str
        What one of them is, for messages, such as ``"a utility profile"``.
    form : str
        What a user's own file is, such as ``"a JSON file"``.
    package : str
        Where they lie: the package,
    path : tuple of str
        the folders in it,
    suffix : str
        and the end of their names, such as ``".json"``; what is in front of it is the name.
    largest : int
        Bytes that a file has at most. Larger ones are refused before they are read: /dev/zero has no end.
    """

    what: str
    form: str
    package: str
    path: tuple[str, ...]
    suffix: str = ".json"
    largest: int = 1 << 24

    @property
    def folder(self) -> Traversable:
        """Where the shipped ones lie."""
        return files(self.package).joinpath(*self.path)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the shipped ones, in order."""
        entries = [entry.name for entry in self.folder.iterdir()] if self.folder.is_dir() else []
        return tuple(sorted(name.removesuffix(self.suffix) for name in entries if name.endswith(self.suffix)))

    def read(self, name_or_path: str | os.PathLike[str]) -> bytes:
        """Content of a shipped file by its name, or of another one by its path.

        Raises
        ------
        InvalidInputError
            If there is no such file, or it is too large; the message says which names there are.
        """
        names = self.names
        is_name = isinstance(name_or_path, str) and name_or_path in names
        place = self.folder / f"{name_or_path}{self.suffix}" if is_name else Path(name_or_path)
        try:
            with place.open("rb") as file:
                content = file.read(self.largest + 1)
        except (OSError, ValueError) as error:  # a ValueError if the path has a null character
            reason = getattr(error, "strerror", None) or error
            raise self._unreadable(name_or_path, str(reason)) from None
        if len(content) > self.largest:
            raise self._unreadable(name_or_path, f"expected at most {self.largest} bytes, found more")
        return content

    def read_text(self, name_or_path: str | os.PathLike[str]) -> str:
        """As `read`, for files of text in UTF-8.

        Raises
        ------
        InvalidInputError
            As `read`, and if it is not such text.
        """
        try:
            return self.read(name_or_path).decode()
        except UnicodeDecodeError:
            raise self._unreadable(name_or_path, "not text") from None

    def _unreadable(self, name_or_path: str | os.PathLike[str], reason: str) -> InvalidInputError:
        known = ", ".join(self.names) or "those that are shipped (none)"
        return InvalidInputError(
            f"{self.what} is {self.form} or one of {known}; cannot read {os.fspath(name_or_path)!r}: {reason}"
        )


PROFILES = ShippedFiles("a profile", "a JSON file", "optcodec", ("data",))
UTILITY_PROFILES = ShippedFiles("a utility profile", "a JSON file", "optcodec", ("data", "utility"))
QPNETS = ShippedFiles("a QP-NET", "an .npz file", "optcodec", ("data", "qpnet"), ".npz", 1 << 20)
