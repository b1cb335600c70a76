"""The page in a real browser: images load, nothing is refused, and it fits narrow screens."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import pairwise

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.service.chromium import browser
from tests.service.client import Classifier
from tests.service.pictures import encoded, noise, patches
from tests.service.server import Server

__all__ = ["browser"]
# Classes of a report whose JSON leaves the confusion matrix out.
MANY = 101


@pytest.fixture
def complaints() -> list[str]:
    """What the browser had to say; a violated security policy is among it."""
    return []


@pytest.fixture(params=[(1200, "light"), (400, "dark")], ids=["wide", "narrow"])
def page(browser: Browser, request: pytest.FixtureRequest, complaints: list[str]) -> Iterator[Page]:
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    opened = context.new_page()
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("requestfailed", lambda failed: complaints.append(failed.url))
    yield opened
    context.close()


@pytest.fixture(scope="module")
def textures(server: Server) -> Classifier:
    """A classifier with a mislabelled image and a near copy, under names that need care."""
    with server.client() as http:
        made = Classifier(http, "page")
        made.put(method="tip-adapter++")
        copy = encoded(Image.open(io.BytesIO(patches("grass")[3])), "JPEG", quality=70)
        made.post("ein <b>Ziegel</b>, 100 %?".replace("/", ""), *patches("brick")[:7])
        made.post("ein <b>Ziegel</b>, 100 %?".replace("/", ""), patches("gravel")[9])
        made.post("草", *patches("grass")[:8], copy)
        made.post("gravel " + 12 * "long ", *patches("gravel")[:8])
        made.post("tiff", *[encoded(noise(i), "TIFF") for i in range(3)])
        return made


def show(page: Page, server: Server, name: str) -> None:
    """Open a report, all of it, and wait until every image is there."""
    response = page.goto(f"{server.url}/v1/classifiers/{name}/report.html")
    assert response is not None
    assert response.status == 200
    for details in page.locator("details").all():
        details.evaluate("one => one.open = true")
    for image in page.locator("img").all():
        image.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")


def test_page_loads_its_images_and_nothing_is_refused(
    page: Page, server: Server, textures: Classifier, complaints: list[str]
) -> None:
    show(page, server, textures.name)
    taken = Image.open(io.BytesIO(page.screenshot(full_page=True)))
    assert complaints == []
    widths = page.locator("img").evaluate_all("all => all.map(one => one.naturalWidth)")
    assert len(widths) >= 4
    assert min(widths) > 0
    assert len(taken.convert("RGB").getcolors(1 << 24) or []) > 1000
    assert page.locator("#suspects figure").count() >= 1
    assert page.locator("#copies figure").count() >= 1
    assert page.locator("#suspects").inner_text().count("ein <b>Ziegel<b>, 100 %?") >= 1


def test_page_is_never_wider_than_the_screen(
    page: Page, server: Server, textures: Classifier
) -> None:
    show(page, server, textures.name)
    wide, screen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= screen
    for text in page.locator("svg text").all():
        box = text.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= screen


def test_page_shows_before_and_after_side_by_side(
    page: Page, server: Server, textures: Classifier
) -> None:
    show(page, server, textures.name)
    section = page.locator("#overlap")
    # Both histograms have the same axis.
    ticks = [plot.locator("text").all_inner_texts() for plot in section.locator("svg").all()]
    assert len(ticks) == 2
    assert ticks[0] == ticks[1]
    rows = section.locator("table.measures tbody tr").all()
    assert len(rows) == 10
    for row in rows:
        # What it is called, before, after, which way is better; nothing covers anything else.
        assert row.locator("small").is_visible()
        boxes = [cell.bounding_box() for cell in row.locator("td").all()]
        assert len(boxes) == 3
        for left, right in pairwise(boxes):
            assert left is not None
            assert right is not None
            assert left["x"] + left["width"] <= right["x"] + 1


def test_picture_links_to_the_image(page: Page, server: Server, textures: Classifier) -> None:
    show(page, server, textures.name)
    link = page.locator("#suspects a.frame").first
    with page.expect_navigation() as navigation:
        link.click()
    assert navigation.value.status == 200
    assert navigation.value.headers["content-type"] == "image/png"


def test_page_fits_the_screen_with_many_classes(
    page: Page, server: Server, complaints: list[str]
) -> None:
    with server.client() as http:
        many = Classifier(http, "many")
        if many.put(names_carry_meaning=False, method="tip-adapter++").status_code == 201:
            images = {
                f"kind {i:03d}/{j}.png": encoded(noise(1000 + 2 * i + j, (16, 16)))
                for i in range(MANY)
                for j in range(2)
            }
            assert many.post_support(images).status_code == 201
    show(page, server, "many")
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollHeight") < 60_000
    assert page.locator("table.matrix").count() == 0
    assert page.locator("#accuracy tr").count() == MANY


def test_page_of_empty_classifier_loads(page: Page, server: Server, complaints: list[str]) -> None:
    with server.client() as http:
        Classifier(http, "void").put()
    show(page, server, "void")
    assert complaints == []
    assert "nothing to report on yet" in page.locator("main").inner_text()
    assert page.locator("img, svg").count() == 0
