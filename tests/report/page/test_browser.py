"""Pages in a browser: no errors, nothing from the network, and everything works by pointer, by finger and by key.

The browser is Chromium as the system has it; the tests are skipped where there is none.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from optcodec.report.page.pictures import Named
from optcodec.report.page.reading import page_of
from optcodec.report.page.render import render
from tests.report.page import samples

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium on this machine (apt-get install chromium)"
)

OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1400, "height": 1000}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page with charts in two panels, a slider of three pictures, maps, and previews; its address."""
    folder = tmp_path_factory.mktemp("page")
    original, coded = samples.pictures(folder)
    pictures = [Named("original", original), Named("decoded", coded), Named("restored", original)]
    results = [samples.written(folder / "accuracy.json", with_both_axes()), samples.KINDS["pipeline"](folder)]
    results += [samples.folder_of(folder / "many")]
    (folder / "page.html").write_bytes(render(page_of(results, pictures=pictures)))
    return (folder / "page.html").as_uri()


def with_both_axes() -> dict[str, Any]:
    """An accuracy whose loss needs a logarithmic axis in the second setting, and one around 0 in the first."""
    record = samples.accuracy()
    for point in record["points"]:
        loss = 2 * point["bpp"]["value"] ** -4
        low, high = (0.9 * loss, 1.1 * loss) if point["setting"] == "bytes" else (loss - 1, loss + 1)
        point["loss_increase"] = {"value": loss, "low": low, "high": high}
    return record


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


class Opened:
    """A page in the browser, and all that went wrong in it."""

    def __init__(self, context: Any, address: str) -> None:
        self.wrong: list[str] = []
        self.page = context.new_page()
        self.page.on("console", lambda message: self.wrong.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: self.request(request.url, address))
        self.page.goto(address)
        self.page.wait_for_selector(".panel:not([hidden]) .chart svg")

    def request(self, url: str, address: str) -> None:
        if url.split("#")[0] != address and not url.startswith("data:"):
            self.wrong.append(f"request of {url}")


@pytest.fixture
def opened(request: pytest.FixtureRequest, browser: Any, file: str) -> Iterator[Any]:
    """The page, on a desktop or where the test says so; at the end, nothing must have gone wrong."""
    size = getattr(request, "param", DESKTOP)
    context = browser.new_context(viewport=size, has_touch=size is PHONE, color_scheme="light")
    context.set_default_timeout(5000)
    opened = Opened(context, file)
    yield opened.page
    context.close()
    assert opened.wrong == []


both = pytest.mark.parametrize("opened", [PHONE, DESKTOP], ids=["phone", "desktop"], indirect=True)
on_phone = pytest.mark.parametrize("opened", [PHONE], ids=["phone"], indirect=True)


@both
def test_everything_fits_and_no_panel_fails(opened: Any) -> None:
    """In light and dark, in all panels of charts, nothing is wider than the screen."""
    for scheme in ("light", "dark"):
        opened.emulate_media(color_scheme=scheme)
        for select in opened.locator("[data-panels]").all():
            for index in range(select.locator("option").count()):
                select.select_option(index=index)
        assert opened.evaluate("document.documentElement.scrollWidth") == opened.viewport_size["width"]
    drawn = opened.locator(".panel:not([hidden]) .chart svg")
    assert drawn.count() == 4
    assert opened.locator("svg [d*=NaN], svg [transform*=NaN]").count() == 0


def lines(page: Any, section: int) -> int:
    """Number of lines in the first chart of a section."""
    return int(page.locator("[data-charts]").nth(section).locator(".chart").first.locator("g.mark-line path").count())


@on_phone
def test_a_legend_entry_hides_its_line(opened: Any) -> None:
    entry = opened.locator("[data-charts]").first.get_by_role("button", name="OptS", exact=True)
    assert lines(opened, 0) == 3
    entry.click()
    assert entry.get_attribute("aria-pressed") == "false"
    opened.wait_for_function("document.querySelectorAll('.chart')[0].querySelectorAll('g.mark-line path').length === 2")
    entry.focus()
    opened.keyboard.press("Enter")
    assert entry.get_attribute("aria-pressed") == "true"
    opened.wait_for_function("document.querySelectorAll('.chart')[0].querySelectorAll('g.mark-line path').length === 3")


def test_all_lines_may_be_hidden(opened: Any) -> None:
    legend = opened.locator("[data-charts]").first.locator("[data-line]")
    for entry in legend.all():
        entry.click()
    opened.wait_for_function("document.querySelectorAll('.chart')[0].querySelectorAll('g.mark-line path').length === 0")


def opacities(page: Any, section: int) -> set[str]:
    """Opacities of the intervals in the first chart of a section."""
    rules = (
        page.locator("[data-charts]")
        .nth(section)
        .locator(".chart")
        .first.locator("g.mark-rule line[stroke-width='1.5']")
    )
    found = rules.evaluate_all("each => each.map(line => line.getAttribute('opacity') ?? '1')")
    return set(found)


def test_intervals_come_and_go(opened: Any) -> None:
    """Of four lines, intervals are hidden until the button is pressed."""
    button = opened.locator("[data-charts]").nth(1).get_by_role("button", name="Intervals")
    assert button.get_attribute("aria-pressed") == "false"
    assert opacities(opened, 1) == {"0"}
    button.click()
    opened.wait_for_timeout(200)
    assert opacities(opened, 1) == {"0.6"}


def test_a_point_says_its_figures(browser: Any, file: str) -> None:
    context = browser.new_context(viewport=DESKTOP)
    opened = Opened(context, file)
    point = opened.page.locator(".chart").first.locator("g.mark-symbol path[aria-roledescription=point]").first
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tip = opened.page.locator(".tip")
    tip.wait_for(timeout=3000)
    name, *figures = tip.inner_text().splitlines()
    assert name in ("JPEG", "OptD", "OptS")
    expected = (r"bits per pixel: \d\.\d{3}", r"top-1 accuracy \(%\): [\d.]+", r"interval \(95 %\): [\d.]+ to [\d.]+")
    assert all(map(re.fullmatch, expected, figures))
    opened.page.mouse.move(2, 2)
    tip.wait_for(state="hidden", timeout=3000)
    context.close()
    assert opened.wrong == []


def border(page: Any) -> float:
    """Where the border between the pictures is, in % of the width."""
    return float(page.locator("[data-wiper] [data-edge]").first.evaluate("each => parseFloat(each.style.left)"))


def shown_left_of(page: Any) -> float:
    """How much of the right picture is cut off, in % of the width."""
    style = page.locator("[data-pane=right]").first.evaluate("each => each.style.clipPath")
    return float(re.fullmatch(r"inset\(0px 0px 0px ([\d.]+)%\)", style).group(1))


@both
def test_the_border_follows_the_pointer(opened: Any) -> None:
    stage = opened.locator("[data-wiper] [data-stage]").first
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    y = box["y"] + box["height"] / 2
    assert border(opened) == 50
    opened.mouse.move(box["x"] + box["width"] / 2, y)
    opened.mouse.down()
    opened.mouse.move(box["x"] + box["width"] / 4, y, steps=4)
    opened.mouse.up()
    assert border(opened) == pytest.approx(25, abs=1)
    assert shown_left_of(opened) == border(opened)
    opened.mouse.move(box["x"] + box["width"] / 2, y)  # the button is up
    assert border(opened) == pytest.approx(25, abs=1)


def test_the_border_and_the_zoom_have_keys(opened: Any) -> None:
    slider = opened.locator("[data-slide] input").first
    slider.focus()
    opened.keyboard.press("ArrowRight")
    assert border(opened) == 51
    stage = opened.locator("[data-wiper] [data-stage]").first
    stage.focus()
    opened.keyboard.press("ArrowLeft")
    assert border(opened) == 49
    opened.keyboard.press("Home")
    assert (border(opened), slider.input_value()) == (0, "0")
    opened.keyboard.press("+")
    style = "each => new DOMMatrix(getComputedStyle(each).transform)"
    picture = opened.locator("[data-pane=left] img").first
    before = picture.evaluate(f"{style[:8]}{{ const m = {style[8:]}; return [m.a, m.e]; }}")
    assert before[0] == 2
    opened.keyboard.press("ArrowRight")  # a picture that is zoomed in moves instead of the border
    after = picture.evaluate(f"{style[:8]}{{ const m = {style[8:]}; return [m.a, m.e]; }}")
    assert after[1] < before[1]
    assert border(opened) == 0
    opened.keyboard.press("0")
    assert picture.evaluate(f"{style[:8]}{{ const m = {style[8:]}; return [m.a, m.e]; }}") == [1, 0]


def test_a_finger_moves_the_border(browser: Any, file: str) -> None:
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    opened = Opened(context, file)
    page = opened.page
    stage = page.locator("[data-wiper] [data-stage]").first
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    session = context.new_cdp_session(page)
    middle, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def touch(kind: str, *xs: float) -> None:
        points = [{"x": x, "y": y, "id": number} for number, x in enumerate(xs)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", middle)
    for step in range(1, 6):
        touch("touchMove", middle + step * box["width"] / 20)
    touch("touchEnd")
    page.wait_for_timeout(100)
    assert border(page) == pytest.approx(75, abs=2)
    touch("touchStart", middle - 20, middle + 20)  # two fingers zoom
    for apart in (30, 40, 60):
        touch("touchMove", middle - apart, middle + apart)
    touch("touchEnd")
    page.wait_for_timeout(100)
    scale = page.locator("[data-pane=left] img").first.evaluate("each => new DOMMatrix(each.style.transform).a")
    assert scale > 1.5
    context.close()
    assert opened.wrong == []


def test_the_pictures_are_chosen(opened: Any) -> None:
    right = opened.locator("[data-side=right]").first
    captions = opened.locator("[data-captions]").first
    assert right.locator("option").all_inner_texts() == ["original", "decoded", "restored"]
    assert "restored" in captions.inner_text()
    right.select_option(label="decoded")
    assert "PSNR" in captions.inner_text()
    assert opened.locator("[data-pane=right] img").first.get_attribute("alt") == "photo: decoded"
    width = opened.locator("[data-pane=right] img").first.evaluate("each => each.naturalWidth")
    assert width == 90


@on_phone
def test_a_map_is_chosen_and_read(opened: Any) -> None:
    maps = opened.locator("[data-maps]").first
    assert maps.locator("[data-over]:visible").count() == 1
    maps.get_by_label("error of decoded", exact=True).check()
    assert maps.locator("[data-over]:visible").get_attribute("alt") == "Map of error of decoded"
    assert "root mean square" in maps.locator("[data-scale]:visible").inner_text()
    stage = maps.locator("[data-stage]")
    stage.focus()
    opened.keyboard.press("ArrowRight")  # the first key shows where one is
    readout = maps.locator("[data-readout]")
    assert "block of 16 x 16 pixels at 0, 0" in readout.inner_text()
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press("ArrowDown")
    assert "block of 16 x 16 pixels at 16, 16" in readout.inner_text()
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    opened.mouse.move(box["x"] + box["width"] - 2, box["y"] + 2)
    assert "block of 16 x 16 pixels at 80, 0" in readout.inner_text()


@both
def test_previews_are_drawn_side_by_side(opened: Any) -> None:
    """The whole picture and its details before and after, in one line, however narrow the screen is."""
    motifs = opened.locator(".motifs li")
    assert motifs.count() == 4
    for motif in motifs.all():
        motif.scroll_into_view_if_needed()
        pictures = motif.locator("img")
        opened.wait_for_function(
            "each => [...each.querySelectorAll('img')].every(img => img.naturalWidth)", arg=motif.element_handle()
        )
        assert [each.get_attribute("alt").rpartition(": ")[2] for each in pictures.all()] == [
            "whole",
            "original",
            "coded",
        ]
        boxes = [each.bounding_box() for each in pictures.all()]
        assert len({round(box["y"] + box["height"]) for box in boxes}) == 1
        assert all(one["x"] + one["width"] < two["x"] for one, two in pairwise(boxes))
        assert min(box["width"] for box in boxes) > 80
        assert "PSNR" in motif.inner_text()


def test_the_theme_has_a_button(opened: Any) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    assert opened.evaluate(colour) == "rgb(255, 255, 255)"
    opened.locator("[data-theme-button]").click()
    assert opened.evaluate(colour) == "rgb(13, 17, 23)"
    assert opened.evaluate("document.documentElement.dataset.theme") == "dark"
    opened.wait_for_selector(".panel:not([hidden]) .chart svg")


def test_without_scripts_numbers_and_pictures_are_there(browser: Any, file: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file)
    assert page.locator("[data-sources] img").first.is_visible()
    assert not page.locator("[data-wiper] [data-stage]").first.is_visible()
    page.locator("summary").first.click()
    assert page.locator("details[open] td").count() > 10
    context.close()
