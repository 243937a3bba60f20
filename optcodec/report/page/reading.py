"""From result files to a page: find out what each file is, and let the reader of that kind make its part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from optcodec import __version__
from optcodec.batch.manifest import read_earlier
from optcodec.errors import InvalidInputError
from optcodec.report.documents import read_document
from optcodec.report.page.accuracy import accuracy_part
from optcodec.report.page.block_maps import maps_part
from optcodec.report.page.compare import compare_part
from optcodec.report.page.demo import demo_part
from optcodec.report.page.evaluate import evaluate_part
from optcodec.report.page.pictures import Named, picture_sections
from optcodec.report.page.rates import rates_part
from optcodec.report.page.sections import BlockMaps, Page, Part, Wiper
from optcodec.report.page.sizes import encoded_part, manifest_part
from optcodec.report.page.verify import verify_part
from optcodec.report.rate_curves import is_rates

__all__ = ["page_of"]

_MANIFESTS = (".jsonl", ".ndjson")
_Read = Callable[[Mapping[str, Any], str, str | None], Part]


@dataclass(frozen=True)
class _Kind:
    """A kind of result: the command that makes it, how it is recognized, its reader, and whether it has rivals."""

    command: str
    entries: frozenset[str]
    read: _Read
    rivals: bool = False

    def fits(self, record: Mapping[str, Any]) -> bool:
        return self.entries <= record.keys()


def _alone(read: Callable[[Mapping[str, Any], str], Part]) -> _Read:
    """A reader of results in which nothing is compared by name."""
    return lambda record, path, _: read(record, path)


_KINDS = (
    _Kind("optcodec accuracy", frozenset(("uncompressed", "points", "comparisons")), accuracy_part, rivals=True),
    _Kind("restore evaluate", frozenset(("protocol", "measures", "rows")), evaluate_part, rivals=True),
    _Kind("optcodec demo", frozenset(("photographs", "mean_change_percent")), demo_part, rivals=True),
    _Kind("optcodec encode --json", frozenset(("files", "total_nbytes")), _alone(encoded_part)),
    _Kind("optcodec compare --json", frozenset(("files", "reference")), _alone(compare_part)),
    _Kind("optcodec verify --json", frozenset(("files", "figures", "limits")), _alone(verify_part)),
    _Kind("optcodec blocks show --json", frozenset(("maps", "input")), _alone(maps_part)),
)
_RATES = _Kind("optcodec rates, restore pipeline", frozenset(("points", "rows", "bd_rates")), rates_part, rivals=True)


def page_of(results: Sequence[Path], *, pictures: Sequence[Named] = (), subject: str | None = None) -> Page:
    """Make a page from result files.

    Parameters
    ----------
    results : sequence of Path
        Files of `optcodec accuracy`, `rates` and `demo`, of `restore pipeline` and `evaluate`, what `optcodec encode`,
        `compare`, `verify` and `blocks show` print with ``--json``, and manifests of `optcodec encode`.
    pictures : sequence of Named
        Files of one motif for the slider, original first, in place of those that the first result names.
    subject : str, optional
        What the headline is about: the name of an encoder, method or receiver of the results.

    Raises
    ------
    InvalidInputError
        If a file cannot be read, is no result, or a picture cannot be shown; the message names it.
    """
    parts = [_part(path, subject) for path in results]
    if pictures:
        first = parts[0]
        with_pictures = any(isinstance(section, Wiper) for section in first.sections)
        replaced = (Wiper, BlockMaps) if with_pictures else ()
        others = [section for section in first.sections if not isinstance(section, replaced)]
        parts[0] = replace(first, sections=[*others[:1], *picture_sections(pictures), *others[1:]])
    names = ", ".join(path.name for path in results)
    return Page(f"Report on {names}", parts, about=f"This page was made by optcodec {__version__} from {names}.")


def _part(path: Path, subject: str | None) -> Part:
    if path.suffix.lower() in _MANIFESTS:
        if not path.is_file():
            raise InvalidInputError(f"cannot read {path}: expected a manifest of optcodec encode")
        return _named(path, "optcodec encode --manifest", lambda: manifest_part(read_earlier(path), str(path)))
    record = read_document(path)
    kind = _kind_of(record)
    if kind is None:
        known = ", ".join([_RATES.command, *(each.command for each in _KINDS), "a manifest (.jsonl)"])
        raise InvalidInputError(f"{path} is no result that a report can be made of; expected one of: {known}")
    if subject is not None and not kind.rivals:
        raise InvalidInputError(f"--subject names what is compared; {path} of {kind.command} compares nothing by name")
    return _named(path, kind.command, lambda: kind.read(record, str(path), subject))


def _kind_of(record: Any) -> _Kind | None:
    if not isinstance(record, dict):
        return None
    return _RATES if is_rates(record) else next((kind for kind in _KINDS if kind.fits(record)), None)


def _named(path: Path, command: str, read: Callable[[], Part]) -> Part:
    """A part under the name of its file; whatever is wrong with the file becomes one error that names it."""
    try:
        part = read()
    except InvalidInputError as error:
        if str(path) in str(error):
            raise
        raise InvalidInputError(f"{path}: {error}") from None
    except KeyError as error:
        raise InvalidInputError(f"{path} is no result of {command}: {error} is missing") from None
    except (ArithmeticError, AttributeError, IndexError, TypeError, ValueError) as error:
        raise InvalidInputError(f"{path} is no result of {command}: {error}") from None
    return replace(part, title=f"{part.title}: {path.name}")
