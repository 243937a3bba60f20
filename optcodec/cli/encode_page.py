"""The page of ``optcodec encode --compare``: what was saved, and the pictures before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from optcodec.batch.places import Store
from optcodec.batch.sources import Found
from optcodec.console.about import about
from optcodec.console.compare import check_compare, page_about
from optcodec.console.many import Tally, failure_records
from optcodec.console.page import write_page
from optcodec.errors import InvalidInputError

if TYPE_CHECKING:
    from optcodec.report.page.sections import Page

__all__ = ["EncodePage"]


@dataclass(frozen=True)
class EncodePage:
    """The values of ``--compare`` and ``--open``: a page, or none, and whether it is opened."""

    path: Path | None
    show: bool

    @property
    def written(self) -> list[Path]:
        """The file of the page."""
        return [] if self.path is None else [self.path]

    def check(self, found: Found, targets: Sequence[Store]) -> None:
        """Raise `InvalidInputError` before the work starts if the page cannot be made."""
        if self.path is not None and found.shards:
            raise InvalidInputError(f"--compare shows single files; got the tar file {found.shards[0].source}")
        check_compare(self.path, self.show, [item.source for item in found.pictures], targets)

    def write(self, tally: Tally) -> None:
        """Write the page, if one is asked for."""
        if self.path is None:
            return
        if tally.records:
            write_page(self.path, lambda: _page(tally, str(self.path)), show=self.show)
        else:
            click.echo(f"{self.path} was not written: no picture was coded", err=True)


def _page(tally: Tally, path: str) -> Page:
    from optcodec.report.page.sizes import encoded_part

    part = encoded_part({"files": tally.records, "failures": failure_records(tally.failures)}, path)
    made = about()
    return page_about("Coded pictures", replace(part, command=made["command"], made_with=made["versions"]))
