"""The site: it is built without a warning, no link of it is broken, and it needs nothing from elsewhere."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

import click
import pytest

import optcodec
import optcodec.cli
import restore
import restore.cli
from tests.documents.pages import PAGES, ROOT

pytest.importorskip("sphinx")
pytest.importorskip("myst_parser")

FORMER = {"Rdo", "check_writable", "forward", "whole_file", "write_whole"}  # kept for old programs, not documented
# attributes by which a page loads something, and not only leads there
LOADED = {"img": ("src", "srcset"), "script": ("src",), "iframe": ("src",), "source": ("src", "srcset")}
LEADING = {"canonical", "next", "prev", "search", "index", "genindex"}  # links of the head that load nothing


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    options = ["-W", "--keep-going", "-q", "-E", "-d", str(folder / "trees")]
    # as without a network: whatever would be fetched fails
    nothing = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    command = [sys.executable, "-m", "sphinx", *options, str(ROOT / "docs"), str(folder / "html")]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | nothing, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder / "html"


class Page(HTMLParser):
    """The names in a page, where its links lead, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: text or "" for name, text in attrs}
        self.names |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag == "link" and found.get("rel") not in LEADING:
            self.loaded.append(found["href"])
        self.loaded += [found[name] for name in LOADED.get(tag, ()) if name in found]


@cache
def page_of(path: Path) -> Page:
    return Page(path)


def pages_of(site: Path) -> list[Path]:
    """The pages, without a template of the theme that lies among its files."""
    found = sorted(path for path in site.rglob("*.html") if "_static" not in path.parts)
    assert len(found) > 30
    return found


def test_every_page_is_there(site: Path) -> None:
    expected = {Path(name).relative_to("docs").with_suffix(".html") for name in PAGES if name.startswith("docs/")}
    assert expected <= {path.relative_to(site) for path in pages_of(site)}


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for path in pages_of(site):
        loaded = page_of(path).loaded
        assert loaded
        for address in loaded:
            assert urlsplit(address).scheme in ("", "data"), f"{path.name}: {address}"
            assert not address.startswith("//"), f"{path.name}: {address}"
            assert (path.parent / unquote(urlsplit(address).path)).exists(), f"{path.name}: {address}"
    for path in site.rglob("*.css"):
        for address in re.findall(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)", path.read_text("utf-8")):
            assert not re.match(r"(https?:)?//", "".join(address)), f"{path.name}: {address}"


def test_no_link_is_broken(site: Path) -> None:
    count = 0
    for path in pages_of(site):
        for address in page_of(path).links:
            parts = urlsplit(address)
            if parts.scheme in ("http", "https", "mailto"):
                continue
            count += 1
            target = path.parent / unquote(parts.path) if parts.path else path
            assert target.is_file(), f"{path.name}: {address}"
            if parts.fragment and target.suffix == ".html":
                assert unquote(parts.fragment) in page_of(target.resolve()).names, f"{path.name}: {address}"
    assert count > 1000


def test_all_public_names_are_in_the_reference(site: Path) -> None:
    names = page_of(site / "reference/optcodec.html").names
    assert {f"optcodec.{name}" for name in set(optcodec.__all__) - FORMER} <= names
    assert not {f"optcodec.{name}" for name in FORMER} & names
    assert {f"restore.{name}" for name in restore.__all__} <= page_of(site / "reference/restore.html").names
    from optcodec import torch

    assert {f"optcodec.torch.{name}" for name in torch.__all__} <= page_of(site / "reference/torch.html").names


def commands_of(context: click.Context) -> Iterator[tuple[str, click.Command]]:
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None
            yield from commands_of(click.Context(command, info_name=name, parent=context))
    else:
        yield context.command_path, context.command


@pytest.mark.parametrize("program", ["optcodec", "restore"])
def test_every_option_of_every_verb_is_in_the_reference(site: Path, program: str) -> None:
    main = {"optcodec": optcodec.cli.main, "restore": restore.cli.main}[program]
    text = (
        site / {"optcodec": "reference/commands.html", "restore": "reference/restore-commands.html"}[program]
    ).read_text()
    sections = dict(re.findall(r'<section id="([\w-]+)">(.*?)</section>', text, re.DOTALL))
    verbs = list(commands_of(click.Context(main, info_name=program)))
    assert len(verbs) >= 5
    for path, command in verbs:
        section = re.sub(r"<[^>]+>", "", sections[path.replace(" ", "-")])
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert all(name in section for name in option.opts), f"{path} {option.opts}"


def outside() -> ModuleType:
    """The module of docs/_ext."""
    spec = importlib.util.spec_from_file_location("outside", ROOT / "docs/_ext/outside.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_links_of_documents_elsewhere_lead_to_their_pages() -> None:
    relocated = outside().relocated
    text = "[a](../docs/tuning.md#what-effort-3-saves), [b](results/demo.json), [c](https://x.org/a.md), [d](#here)"
    expected = (
        "[a](tuning.md#what-effort-3-saves), [b](../benchmarks/results/demo.json), [c](https://x.org/a.md), [d](#here)"
    )
    assert relocated(text, "benchmarks/README.md", "docs/benchmarks.md") == expected
    text = "[e](../benchmarks/README.md#the-receiver) ![f](demo.jpg)"
    assert relocated(text, "docs/a.md", "docs/a.md") == "[e](benchmarks.md#the-receiver) ![f](demo.jpg)"


def test_stubs_name_their_document() -> None:
    for document, page in outside().PAGES.items():
        assert (ROOT / document).is_file()
        assert f"]({os.path.relpath(document, Path(page).parent)})" in PAGES[page]


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SHOWN = ("index", "theory", "measured", "conformance", "reference/commands", "reference/optcodec", "tuning")


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine (apt-get install chromium)")
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1400, "light")])
def test_pages_fit_and_ask_for_nothing(site: Path, width: int, scheme: str) -> None:
    """On a phone and on a desk nothing is wider than the window, no error is logged, and no request leaves the page."""
    driver = pytest.importorskip("playwright.sync_api")
    with driver.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        context: Any = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        wrong: list[str] = []
        context.on(
            "request", lambda request: wrong.append(request.url) if not request.url.startswith("file:") else None
        )
        for name in SHOWN:
            page = context.new_page()
            page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.goto((site / f"{name}.html").as_uri())
            assert page.evaluate("document.documentElement.dataset.theme") == scheme
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            page.close()
        browser.close()
    assert wrong == []
