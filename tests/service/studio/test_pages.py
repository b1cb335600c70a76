"""The pages of the studio: for those who do not see them, in any script, wide and narrow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.service.chromium import browser
from tests.service.client import Classifier
from tests.service.pictures import encoded, noise, patches, picture
from tests.service.server import Server
from tests.service.studio.browsing import Visitor

__all__ = ["browser"]

AXE = Path(__file__).parents[3] / "studio" / "node_modules" / "axe-core" / "axe.min.js"
TABS = ("teach", "try", "review", "understand", "use")
NAME = "many-scripts"
ARABIC, HEBREW, CHINESE = "قطة صغيرة", "כלב", "一只猫"
MANY = 1500


@pytest.fixture(scope="module")
def taught(spare: Server) -> Server:
    """A service with a classifier whose classes are written in several directions."""
    with spare.client() as http:
        made = Classifier(http, NAME)
        made.put(remember="all").raise_for_status()
        for label, texture in ((ARABIC, "brick"), (HEBREW, "grass"), (CHINESE, "gravel")):
            made.post(label, *patches(texture)[:5]).raise_for_status()
        made.post(HEBREW, patches("gravel")[9]).raise_for_status()
        made.post("<img src=x onerror=alert(1)> " + 20 * "long ", picture(3)).raise_for_status()
        made.post("not-these", encoded(noise(5, (90, 90)))).raise_for_status()
        for texture in ("brick", "grass", "gravel"):
            made.predict(patches(texture)[11]).raise_for_status()
    return spare


@pytest.fixture(params=[(1280, False), (390, True)], ids=["desk, light", "phone, dark"])
def visitor(browser: Browser, taught: Server, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    width, dark = request.param
    there = Visitor.of(browser, taught.url, width=width, height=844, dark=dark)
    yield there
    there.leave()


def faults(visitor: Visitor) -> list[Any]:
    """What axe finds: rules of WCAG 2.2 A and AA, and good practice."""
    if not AXE.exists():
        pytest.skip("no axe: npm --prefix studio ci")
    visitor.page.evaluate(AXE.read_text())
    found = visitor.page.evaluate("axe.run()")["violations"]
    return [(one["id"], [node["html"][:300] for node in one["nodes"]]) for one in found]


def test_axe_finds_nothing_and_no_page_is_wider_than_the_screen(visitor: Visitor) -> None:
    page = visitor.page
    for place in ("classifiers", "keys"):
        page.goto(f"{visitor.url}/studio#/{place}")
        page.get_by_role("heading", level=1).wait_for()
        page.wait_for_load_state("networkidle")
        assert (place, faults(visitor), visitor.overflows()) == (place, [], 0)
    for tab in TABS:
        visitor.open(NAME, tab)
        page.wait_for_load_state("networkidle")
        if tab == "try":
            visitor.drop(page.locator(".try"), {"a.png": patches("brick")[7]})
            page.locator(".answer").wait_for()
        assert (tab, faults(visitor), visitor.overflows()) == (tab, [], 0)


def test_axe_finds_nothing_in_dialogs(browser: Browser, taught: Server) -> None:
    visitor = Visitor.of(browser, taught.url)
    page = visitor.page
    visitor.open(NAME, "teach")
    card = visitor.card(HEBREW)
    card.locator("img[src*=thumbnail]").first.wait_for()
    grid = card.get_by_role("grid")
    grid.focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").locator("img").first.wait_for()
    assert faults(visitor) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(grid).to_be_focused()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Move to").click()
    page.get_by_role("dialog").wait_for()
    assert faults(visitor) == []
    visitor.leave()


def test_names_keep_their_direction_and_are_no_markup(browser: Browser, taught: Server) -> None:
    visitor = Visitor.of(browser, taught.url)
    visitor.open(NAME, "teach")
    for label in (ARABIC, HEBREW, CHINESE):
        heading = visitor.card(label).get_by_role("heading")
        expect(heading).to_have_text(label)
        assert heading.locator("bdi").count() == 1
    assert visitor.page.locator("img[src=x]").count() == 0
    visitor.leave()


def test_of_many_pictures_those_in_view_are_on_the_page(browser: Browser, spare: Server) -> None:
    rows = [[float(i == j) for j in range(8)] for i in range(8)]
    with spare.client() as http:
        made = Classifier(http, "long-list")
        made.put().raise_for_status()
        about = http.post("/v1/embeddings", json={"texts": ["a"]}).json()
        width, corrected = about["width"], about["corrected_width"]
        images = [
            {
                "filename": f"{i:05}.png",
                "fingerprint": about["fingerprint"],
                "embedding": {
                    "frozen": _unit(rows[i % 8], width, i),
                    "corrected": _unit(rows[i % 8], corrected, i),
                },
            }
            for i in range(MANY)
        ]
        for begin in range(0, MANY, 500):
            body = {"images": images[begin : begin + 500]}
            http.post(f"{made.class_url('all')}/images", json=body).raise_for_status()
    visitor = Visitor.of(browser, spare.url)
    visitor.open("long-list", "teach")
    card = visitor.card("all")
    expect(card).to_contain_text("1,500 pictures")
    grid = card.get_by_role("grid")
    grid.get_by_role("gridcell").first.wait_for()
    assert grid.get_by_role("gridcell").count() < 100
    grid.focus()
    visitor.page.keyboard.press("End")
    last = grid.locator(f'[data-tile="{MANY - 1}"]')
    expect(last).to_be_in_viewport()
    assert grid.get_by_role("gridcell").count() < 100
    visitor.leave()


def _unit(beginning: list[float], width: int, number: int) -> list[float]:
    """A unit vector that no other number gives."""
    row = [*beginning, 0.01 * (number + 1) / MANY, *[0.0] * (width - len(beginning) - 1)]
    norm = sum(one * one for one in row) ** 0.5
    return [one / norm for one in row]
