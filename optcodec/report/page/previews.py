"""Many pictures before and after something: small previews of those that changed most, typically and least."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from optcodec.console.progress import tracked
from optcodec.errors import InvalidInputError
from optcodec.metrics import psnr_db
from optcodec.report.page.files import motifs
from optcodec.report.page.pictures import Named, Shown, as_colour, shown_of
from optcodec.report.page.sections import Layer, Previews, Section, Views
from optcodec.report.page.uris import png_uri
from optcodec.report.page.words import short_names
from optcodec.report.squares import fullest_square

__all__ = ["previews"]

_MEASURED = 100  # pictures that are opened at most: a page of a large job would take as long as the job itself
_EACH = 6  # previews of a group; with more, the page would be too large to be sent
_FEW = 3  # pictures that need no previews, since the slider has them all
_SIDE = 192  # pixels, of previews and details
_WHOLE = "whole"


@dataclass(frozen=True)
class _Pair:
    """Files of a picture before and after: their bytes in words, the share that was saved, and their PSNR.

    There is no PSNR if the numbers of pixels differ.
    """

    before: Path
    after: Path
    nbytes: str
    saving: float
    psnr_db: float | None

    @property
    def key(self) -> tuple[float, float]:
        """The order from most to least changed; of equal PSNR, the one that saves fewer bytes comes first."""
        return self.psnr_db or 0.0, self.saving

    @property
    def figures(self) -> str:
        """Bytes and PSNR in words."""
        if self.psnr_db is None:
            return f"{self.nbytes}, another number of pixels"
        return f"{self.nbytes}, {'PSNR ' if math.isfinite(self.psnr_db) else ''}{_decibels(self.psnr_db)}"


def previews(count: int, pair_at: Callable[[int], tuple[Path, Path] | None], names: tuple[str, str]) -> list[Section]:
    """Sections that show pictures before and after something, whatever their number.

    A slider wipes between both, of the picture that changed most, by PSNR, a typical one, and the one that changed
    least. If there are more than three pictures, there are small previews of further ones.

    Parameters
    ----------
    count : int
        Number of pictures. Of many, some are measured that are spread evenly.
    pair_at : callable
        The files of a picture by its number, before and after; None if they are not at hand.
    names : (str, str)
        What the files of a pair are, such as ``("original", "coded")``.
    """
    numbers = np.unique(np.linspace(0, count - 1, min(count, _MEASURED)).round().astype(int)).tolist()
    at_hand = [files for number in numbers if (files := pair_at(number)) is not None]
    if count <= _FEW:
        return motifs([(before.stem, _named(before, after, names)) for before, after in at_hand])
    opened = tracked(at_hand, "compare", len(at_hand))
    pairs = [pair for before, after in opened if (pair := _measured(before, after)) is not None]
    if not pairs:
        return []
    same = sorted((pair for pair in pairs if pair.psnr_db is not None), key=lambda pair: pair.key)
    others = [pair for pair in pairs if pair.psnr_db is None]
    groups = _groups(same) | ({"With another number of pixels than before": others[:_EACH]} if others else {})
    titles = short_names([str(pair.before) for group in groups.values() for pair in group])
    views = iter(titles)
    shown = {title: [_views(pair, next(views), names) for pair in group] for title, group in groups.items()}
    note = _note(count, len(numbers), same, others, [each for group in shown.values() for each in group], names)
    return [Previews("Before and after", shown, note), *_slider(same, names)]


def _named(before: Path, after: Path, names: tuple[str, str]) -> list[Named]:
    return [Named(name, path) for name, path in zip(names, (before, after), strict=True)]


def _both(before: Path, after: Path, names: tuple[str, str]) -> list[Shown]:
    return [shown_of(file) for file in _named(before, after, names)]


def _measured(before: Path, after: Path) -> _Pair | None:
    """The figures of a picture; None if a file cannot be shown."""
    try:
        old, new = _both(before, after, ("", ""))
    except InvalidInputError:
        return None
    equal = old.pixels.shape[:2] == new.pixels.shape[:2]
    psnr = psnr_db(as_colour(old.pixels), as_colour(new.pixels)) if equal else None
    sizes = len(old.data), len(new.data)
    # the size of a lossless file, such as one of a restored picture, says nothing
    nbytes = " → ".join(f"{size:,}" for size in sizes[: 1 + new.coded]) + " bytes"
    return _Pair(before, after, nbytes, 1 - sizes[1] / max(1, sizes[0]), psnr)


def _groups(ordered: Sequence[_Pair]) -> dict[str, Sequence[_Pair]]:
    """The pictures that are shown, by the heading above them."""
    if not ordered:
        return {}
    if len(ordered) <= 3 * _EACH:
        return {"From the lowest PSNR to the highest": ordered}
    middle = (len(ordered) - _EACH) // 2
    return {
        "Changed most: the lowest PSNR": ordered[:_EACH],
        "Typical: around the median PSNR": ordered[middle : middle + _EACH],
        "Changed least: the highest PSNR": ordered[: -_EACH - 1 : -1],
    }


def _slider(ordered: Sequence[_Pair], names: tuple[str, str]) -> list[Section]:
    """The slider for the picture that changed most, the one in the middle, and the one that changed least."""
    if not ordered:
        return []
    chosen = {"changed most": ordered[0], "typical": ordered[len(ordered) // 2], "changed least": ordered[-1]}
    return motifs(
        [(f"{pair.before.stem} ({which})", _named(pair.before, pair.after, names)) for which, pair in chosen.items()]
    )


def _views(pair: _Pair, title: str, names: tuple[str, str]) -> Views:
    """The small pictures of a motif: the whole, and the detail that changed most before and after, pixel by pixel."""
    old, new = _both(pair.before, pair.after, names)
    if pair.psnr_db is None:
        return Views(title, [_whole(old, old.name, pair.figures), _whole(new, new.name)])
    error = ((as_colour(old.pixels).astype(np.float32) - as_colour(new.pixels)) ** 2).mean(axis=2, dtype=np.float64)
    top, left = fullest_square(error, _SIDE)
    square = np.s_[top : top + _SIDE, left : left + _SIDE]
    if max(error.shape) <= _SIDE:
        return Views(title, [_layer(old.pixels, old.name, pair.figures), _layer(new.pixels, new.name)])
    details = [_layer(each.pixels[square], each.name) for each in (old, new)]
    return Views(title, [_whole(old, _WHOLE, pair.figures), *details])


def _whole(picture: Shown, name: str, caption: str = "") -> Layer:
    """The whole picture, smaller."""
    from PIL import Image

    image = Image.fromarray(picture.pixels)
    image.thumbnail((_SIDE, _SIDE), reducing_gap=4.0)
    return _layer(np.asarray(image), name, caption)


def _layer(pixels: npt.NDArray[np.uint8], name: str, caption: str = "") -> Layer:
    return Layer(name, caption, png_uri(pixels), pixels.shape[1], pixels.shape[0])


def _decibels(psnr: float) -> str:
    return f"{psnr:.2f} dB" if math.isfinite(psnr) else "no pixel differs"


def _note(
    count: int,
    tried: int,
    same: Sequence[_Pair],
    others: Sequence[_Pair],
    shown: Sequence[Views],
    names: tuple[str, str],
) -> str:
    """How the previews were chosen."""
    psnr = f"the PSNR from {names[0]} to {names[1]}"
    sample = "" if tried == count else f", of {tried} pictures that are spread evenly over all"
    told = [f"{len(shown)} of {count:,} pictures are shown, chosen by {psnr}{sample}."]
    if len(shown) == count:
        told = [f"All {count} pictures are shown, in the order of {psnr}."]
    if same:
        known = [pair.psnr_db or 0.0 for pair in same]
        least, middle, most = map(_decibels, (known[0], median(known), known[-1]))
        told += [f"PSNR: {least} at the lowest, {middle} at the median, {most} at the highest."]
    if missing := tried - len(same) - len(others):
        told += [f"{missing} could not be shown: a file is missing, or has no opaque RGB or gray pixels."]
    if any(views.layers[0].name == _WHOLE for views in shown):
        told += [f"Beside a whole picture is the square of {_SIDE} pixels that differs most."]
    return " ".join(told)
