"""Changes of JSON files: values of wrong types and sizes, keys missing, unknown or doubled, text that is no JSON."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.fuzz.jpeg_damage import damaged_bytes

__all__ = ["changed_json"]

_DEEP = 100_000


class Pairs(list[list[Any]]):
    """An object, with its keys as often as they stand there."""


class Text(NamedTuple):
    """Characters that stand in the file as they are."""

    text: str


# What may stand where something else is expected.
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 255, 256, 65536, 2**31, 2**63, 2**64, -(2**63) - 1, 0.5, -0.0, 1e-320, 1e308, "",
    "a", "\ud800", "\0", "é" * 300, "../m.json", "/dev/zero", "nan", "1", [], [[]], [None], [1, "a"], Pairs(),
    Pairs([["a", 1]]), Text("NaN"), Text("Infinity"), Text("-Infinity"), Text("1e999"), Text("-1e999"),
    Text("1" * 5000),
    Text("01"), Text("[" * _DEEP + "]" * _DEEP), Text('{"a":' * _DEEP + "1" + "}" * _DEEP), Text("[" * _DEEP),
    Text(""), Text("nul"), Text('"\\ud800\\n"'), Text("'a'"), Text("1,"), Text("/**/1"),
)  # fmt: skip


def changed_json(data: bytes, source: random.Random) -> bytes:
    """The file with a few changes."""
    if source.random() < 0.15:
        return damaged_bytes(data, source)
    try:
        document = json.loads(data, object_pairs_hook=lambda pairs: Pairs([list(pair) for pair in pairs]))
    except (ValueError, RecursionError):  # changed before
        return damaged_bytes(data, source)
    for _ in range(source.choice([1, 1, 1, 2, 3])):
        place = source.choice(_places(document))
        document = source.choice(_CHANGES)(document, place, source)
    text = _written(document).encode("utf-8", "surrogatepass")
    return _encoded(text, source) if source.random() < 0.05 else text


Place = tuple[Any, int] | None  # a list or object and which of its entries; None for the whole document


def _places(document: Any) -> list[Place]:
    """All places, those of large arrays of numbers less often, so that the others are met too."""
    places: list[Place] = [None]
    stack = [document]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            entries = [(node, index) for index in range(len(node))]
            places += entries if isinstance(node, Pairs) else entries[:3] + entries[-1:]
            stack += [pair[1] for pair in node] if isinstance(node, Pairs) else node
    return places


def _replace(document: Any, place: Place, source: random.Random) -> Any:
    """Another value."""
    return _put(document, place, source.choice(_VALUES))


def _put(document: Any, place: Place, value: Any) -> Any:
    if place is None:
        return value
    node, index = place
    if isinstance(node, Pairs):
        node[index][1] = value
    else:
        node[index] = value
    return document


def _get(document: Any, place: Place) -> Any:
    if place is None:
        return document
    node, index = place
    return node[index][1] if isinstance(node, Pairs) else node[index]


def _nudge(document: Any, place: Place, source: random.Random) -> Any:
    """A number a little different, a text a little longer."""
    value = _get(document, place)
    if isinstance(value, (int, float)):
        value = source.choice([value + 1, value - 1, -value, value * 2, value * 1e6, float(value), str(value), [value]])
    elif isinstance(value, str):
        value = source.choice([value + "x", value[:-1], value.upper(), [value]])
    return _put(document, place, value)


def _remove(document: Any, place: Place, source: random.Random) -> Any:
    """An entry is missing."""
    if place is not None and place[1] < len(place[0]):
        del place[0][place[1]]
    return document


def _double(document: Any, place: Place, source: random.Random) -> Any:
    """An entry stands there twice, or a key has two values."""
    if place is not None and place[1] < len(place[0]):
        node, index = place
        entry = node[index]
        if isinstance(node, Pairs) and source.random() < 0.7:
            entry = [entry[0], source.choice(_VALUES)]
        node.insert(source.choice([index, index + 1]), entry)
    return document


def _rename(document: Any, place: Place, source: random.Random) -> Any:
    """A key is unknown, or one more is there."""
    if place is not None and isinstance(place[0], Pairs) and place[1] < len(place[0]):
        key = source.choice(["", "x", "__class__", "self", "\ud800", place[0][place[1]][0] + " "])
        if source.random() < 0.5:
            place[0][place[1]][0] = key
        else:
            place[0].append([key, source.choice(_VALUES)])
    return document


def _exchange(document: Any, place: Place, source: random.Random) -> Any:
    """A value stands at another place too."""
    return _put(document, place, copy.deepcopy(_get(document, source.choice(_places(document)))))


_CHANGES: tuple[Callable[[Any, Place, random.Random], Any], ...] = (
    _replace, _replace, _nudge, _nudge, _nudge, _remove, _double, _rename, _exchange,
)  # fmt: skip


def _written(node: Any) -> str:
    """JSON of a document."""
    if isinstance(node, Text):
        return node.text
    if isinstance(node, Pairs):
        return "{" + ",".join(f"{json.dumps(key)}:{_written(value)}" for key, value in node) + "}"
    if isinstance(node, list):
        return "[" + ",".join(_written(value) for value in node) + "]"
    return json.dumps(node)


def _encoded(text: bytes, source: random.Random) -> bytes:
    """In another encoding, or with other bytes around."""
    return source.choice([
        b"\xef\xbb\xbf" + text, text.decode("utf-8", "replace").encode("utf-16"), text + b"\0", b"\xff" + text,
        b" \r\n" + text, text + text, b"",
    ])  # fmt: skip
