"""A walk through the studio in a real browser, from an empty service to an export.

The pictures of it in the documentation are made by it, too:

    HANDFUL_STUDIO_PICTURES=docs/studio pytest tests/service/studio/test_walk.py
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.service.api.test_keys import Keyed, made
from tests.service.chromium import browser
from tests.service.pictures import encoded, noise, patches
from tests.service.server import Server
from tests.service.studio.browsing import Visitor, png

__all__ = ["browser"]

CLASSES = ("brick", "grass", "gravel")
SHOTS = 6


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    """A service with nothing in it but a key."""
    data_dir = tmp_path_factory.mktemp("walk")
    key = made(data_dir, "--scopes", "admin,read,predict,write")
    with Server.ready(data_dir, auth="keys") as running:
        yield Keyed(running, key)
        running.stop()
    log = running.log.read_text()
    assert "Traceback" not in log
    assert key not in log


def test_from_an_empty_service_to_an_export(browser: Browser, keyed: Keyed, tmp_path: Path) -> None:
    visitor = Visitor.of(browser, keyed.server.url)
    _log_in(visitor, keyed)
    _teach(visitor)
    _try_and_correct(visitor)
    _review(visitor)
    _understand(visitor)
    _export(visitor, tmp_path / "materials.zip")
    phone = Visitor.of(browser, keyed.server.url, width=390, height=844, dark=True)
    _log_in(phone, keyed)
    _see_on_a_phone(phone)
    phone.leave()
    _log_out(visitor)
    visitor.leave()


def _log_in(visitor: Visitor, keyed: Keyed) -> None:
    page = visitor.page
    page.goto(keyed.server.url)  # leads a browser to the studio
    expect(page).to_have_url(re.compile(r"/studio$"))
    page.get_by_label("Key", exact=True).fill("handful_" + "0" * 16 + "_" + "A" * 43)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("not valid")
    page.get_by_label("Key", exact=True).fill(keyed.operator)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Classifiers")).to_be_visible()
    kept = page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    )
    assert kept == '[{},{},""]'


def _teach(visitor: Visitor) -> None:
    page = visitor.page
    page.get_by_role("textbox", name="New classifier").fill("materials")
    page.get_by_role("button", name="Create").click()
    page.get_by_text("Show it what is what").wait_for()
    for label in CLASSES:
        page.get_by_placeholder("Name of the class").fill(label)
        page.get_by_role("button", name="Add class").click()
        visitor.card(label).wait_for()
    # One class from a dialog of files, the others dropped; one file is no picture.
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Add pictures to brick").click()
    bricks = [png(f"brick-{i}.png", one) for i, one in enumerate(patches("brick")[:SHOTS])]
    chooser.value.set_files(bricks)
    for label in CLASSES[1:]:
        files = {f"{label}-{i}.png": one for i, one in enumerate(patches(label)[:SHOTS])}
        broken = {"broken.png": patches(label)[0][:300]} if label == "grass" else {}
        visitor.drop(visitor.card(label), {**files, **broken})
    for label in CLASSES:
        expect(visitor.card(label)).to_contain_text(f"{SHOTS} pictures")
    refused = visitor.card("grass").locator(".tile-refused")
    expect(refused).to_contain_text("broken.png")
    visitor.remember("teach-refused")
    visitor.card("grass").get_by_role("button", name="Dismiss broken.png").click()
    expect(refused).to_have_count(0)
    _move_and_undo(visitor)
    expect(page.locator(".class-cards img")).to_have_count(len(CLASSES) * SHOTS)
    visitor.remember("teach")


def _move_and_undo(visitor: Visitor) -> None:
    """By the keyboard alone."""
    page, brick = visitor.page, visitor.card("brick")
    expect(brick.locator("img[src*=thumbnail]")).to_have_count(SHOTS)
    brick.get_by_role("grid").focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    bar = page.locator(".selection-bar")
    expect(bar).to_contain_text("2 selected")
    bar.get_by_role("button", name="Move to").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="gravel").press("Enter")
    expect(visitor.card("gravel")).to_contain_text(f"{SHOTS + 2} pictures")
    page.get_by_text("2 pictures moved to gravel").wait_for()
    page.keyboard.press("Control+z")
    expect(visitor.card("gravel")).to_contain_text(f"{SHOTS} pictures")
    expect(brick).to_contain_text(f"{SHOTS} pictures")


def _try_and_correct(visitor: Visitor) -> None:
    """A picture that is none of the classes is answered so, until it is said what it is."""
    page = visitor.page
    page.get_by_role("link", name="Try").click()
    visitor.drop(page.locator(".try"), {"another-brick.png": patches("brick")[SHOTS]})
    said = page.locator(".trial-said")
    expect(said.locator(".answer")).to_contain_text("brick")
    visitor.remember("try")
    visitor.drop(page.locator(".try"), {"fog.png": encoded(noise(1, (128, 128)))})
    expect(said.locator(".answer")).to_contain_text("unknown")
    said.get_by_label("Another class, or a new one").fill("static")
    said.get_by_role("button", name="Add", exact=True).click()
    expect(said.locator(".before-after")).to_contain_text("static")
    expect(said.locator(".answer")).to_contain_text("static")
    expect(said.locator(".answer")).not_to_contain_text("unknown")


def _review(visitor: Visitor) -> None:
    """Two remembered pictures are named by keys."""
    page = visitor.page
    page.get_by_role("link", name="Review").click()
    page.get_by_text("This classifier remembers no pictures").wait_for()
    page.get_by_label("All").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Nothing waits for you").wait_for()
    page.get_by_role("link", name="Try").click()
    for i, label in enumerate(CLASSES[1:]):
        visitor.drop(page.locator(".try"), {f"later-{i}.png": patches(label)[9]})
        expect(page.locator(".answer")).to_contain_text(label)
    page.get_by_role("link", name="Review").click()
    grid = page.get_by_label("Remembered pictures")
    grid.wait_for()
    visitor.remember("review")
    grid.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("2")
    page.get_by_text("Nothing waits for you").wait_for()


def _understand(visitor: Visitor) -> None:
    page = visitor.page
    page.get_by_role("link", name="Understand").click()
    expect(page.get_by_text("accuracy, each picture named by the others")).to_be_visible()
    matrix = page.get_by_label("Confusion matrix")
    expect(matrix).to_contain_text("brick")
    matrix.get_by_label(re.compile("pictures of .*brick.* named .*brick")).click()
    expect(page.locator(".cell-pictures img")).to_have_count(SHOTS)
    visitor.remember("understand")


def _export(visitor: Visitor, file: Path) -> None:
    page = visitor.page
    page.get_by_role("link", name="Use").click()
    expect(page.locator("pre").first).to_contain_text("/v1/classifiers/materials/predict")
    visitor.remember("use")
    with page.expect_download() as download:
        page.get_by_role("link", name="With its pictures").click()
    download.value.save_as(file)
    with zipfile.ZipFile(file) as archive:
        assert len(archive.namelist()) > SHOTS * len(CLASSES)


def _see_on_a_phone(visitor: Visitor) -> None:
    for tab in ("teach", "try", "review", "understand", "use"):
        visitor.open("materials", tab)
        visitor.page.wait_for_load_state("networkidle")
        assert visitor.overflows() == 0, tab
        visitor.remember(f"{tab}-phone")


def _log_out(visitor: Visitor) -> None:
    page = visitor.page
    page.get_by_role("button", name="Log out").click()
    page.get_by_label("Key", exact=True).wait_for()
    page.reload()
    page.get_by_label("Key", exact=True).wait_for()
