"""How quick the studio is in a real browser: to be used, to answer, and while it scrolls.

    python -m benchmarks.studio [--pictures 10000] [--rounds 5]

One service of the default backbone, and Chromium beside it on the same processors. Told are the
bytes of JavaScript as they are sent; seconds from the address to a page that can be used, each time
with an empty cache; seconds from the last byte of a photo of 12 megapixels to its answer on the
page, and the same for the service alone; and frames a second while one class with so many pictures
is scrolled through by the wheel, by the times at which the page was told to draw a frame, at first
(the service makes each thumbnail) and once more.
"""

from __future__ import annotations

import argparse
import gzip
import io
import statistics
import zipfile
from pathlib import Path

import httpx2 as httpx
import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.photographs import mosaic, patch, photographs
from benchmarks.published import machine
from benchmarks.servers import handful, register
from tests.service.chromium import CHROMIUM

BUILT = Path(__file__).parents[1] / "service" / "studio" / "built"
NAME = "benchmark"
MANY = "many"
A_REQUEST = 500
# Of the wheel, at 60 a second: about two rows of thumbnails with each.
STEP, STEPS = 180, 600
# When the last byte was sent, and when the answer could be seen.
TIMES = """() => {
    const open = XMLHttpRequest.prototype.open;
    XMLHttpRequest.prototype.open = function (...given) {
        this.upload.addEventListener("load", () => { window.sent = performance.now(); });
        // Before the page's own listener, which shows the answer at once.
        this.addEventListener("load", () => { window.came = performance.now(); });
        return open.apply(this, given);
    };
    new MutationObserver(() => {
        if (window.came && !window.answered && document.querySelector(".answer"))
            requestAnimationFrame(() => { window.answered = performance.now(); });
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""
# When the first of such elements was there and drawn; asked later, the page might be busy.
USABLE = """new MutationObserver((_, observer) => {
    if (!document.querySelector("USABLE")) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => { window.usable = performance.now(); }));
}).observe(document, { subtree: true, childList: true });"""
WAIT = """() => new Promise((done) => {
    const look = () => (window.ANSWERED ? done(window.ANSWERED) : setTimeout(look, 5));
    look();
})"""
FRAMES = """() => {
    window.frames_at = [];
    const next = (at) => { window.frames_at.push(at); window.turn = requestAnimationFrame(next); };
    window.turn = requestAnimationFrame(next);
}"""


def photo(seed: int) -> bytes:
    """A photo of 12 megapixels as a camera writes it."""
    file = io.BytesIO()
    mosaic(np.random.default_rng(seed), 4000, 3000).save(file, "JPEG", quality=88)
    return file.getvalue()


def register_many(url: str, number: int) -> None:
    """One class of so many pictures, each another one."""
    rng = np.random.default_rng(0)
    with httpx.Client(base_url=url, timeout=600) as client:
        client.put(f"/v1/classifiers/{MANY}").raise_for_status()
        client.put(f"/v1/classifiers/{MANY}/classes/others").raise_for_status()
        for begin in range(0, number, A_REQUEST):
            content = io.BytesIO()
            with zipfile.ZipFile(content, "w") as archive:
                for i in range(begin, min(begin + A_REQUEST, number)):
                    file = io.BytesIO()
                    side = int(rng.integers(140, 240))
                    cut = patch(rng, photographs()[i % len(photographs())], side)
                    cut.save(file, "JPEG", quality=90)
                    archive.writestr(f"all/{i:05d}.jpg", file.getvalue())
            client.post(
                f"/v1/classifiers/{MANY}/support",
                content=content.getvalue(),
                headers={"content-type": "application/zip"},
            ).raise_for_status()


def opened(browser: Browser, address: str, usable: str) -> float:
    """Seconds until something of a page is there and can be used, with nothing in the cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.add_init_script(USABLE.replace("USABLE", usable))
    page.goto(address, wait_until="commit")
    page.locator(usable).first.wait_for()
    taken = page.evaluate(WAIT.replace("ANSWERED", "usable"))
    context.close()
    return float(taken) / 1000


def answered(page: Page, url: str, photos: list[bytes]) -> list[float]:
    """Seconds from the last byte of each photo to its answer on the page."""
    page.goto(f"{url}/studio#/classifiers/{NAME}/try")
    chosen = page.locator("input[type=file]").first
    chosen.wait_for(state="attached")
    page.evaluate(TIMES)
    taken = []
    for content in photos:
        page.evaluate("window.came = window.answered = null")
        chosen.set_input_files([{"name": "a.jpg", "mimeType": "image/jpeg", "buffer": content}])
        page.evaluate(WAIT.replace("ANSWERED", "answered"))
        taken.append(float(page.evaluate("window.answered - window.sent")) / 1000)
    return taken


def scrolled(page: Page, url: str) -> tuple[float, float, float]:
    """Frames a second, milliseconds between frames (99 of 100 are below), share of the way."""
    page.goto(f"{url}/studio#/classifiers/{MANY}/teach")
    grid = page.locator('section[data-label="all"] [role=grid]')
    grid.locator("img").first.wait_for()
    grid.hover()
    page.evaluate(FRAMES)
    for _ in range(STEPS):
        page.mouse.wheel(0, STEP)
        page.evaluate("new Promise(requestAnimationFrame)")
    at = page.evaluate("(cancelAnimationFrame(window.turn), window.frames_at)")
    between = np.diff(at)
    way = grid.evaluate("(e) => e.scrollTop / (e.scrollHeight - e.clientHeight)")
    return 1000 / float(between.mean()), float(np.quantile(between, 0.99)), float(way)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    print(machine())
    scripts = [one.read_bytes() for one in BUILT.glob("assets/*.js")]
    whole, sent = sum(map(len, scripts)), sum(len(gzip.compress(one)) for one in scripts)
    print(f"JavaScript: {sent / 1000:.0f} kB compressed, {whole / 1000:.0f} kB")
    photos = [photo(seed) for seed in range(given.rounds + 1)]
    with handful() as service, sync_playwright() as playwright:
        register(service)
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        url = service.url
        for name, address, usable in (
            ("list of classifiers", f"{url}/studio", "form input"),
            ("classifier", f"{url}/studio#/classifiers/{NAME}/teach", ".class-foot button"),
            ("its pictures", f"{url}/studio#/classifiers/{NAME}/teach", ".class-card img"),
        ):
            taken = [opened(browser, address, usable) for _ in range(given.rounds + 1)][1:]
            print(f"{name}, usable: {_range(taken)}")
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        print(f"photo of 12 megapixels, answered: {_range(answered(page, url, photos)[1:])}")
        with httpx.Client(base_url=url, timeout=60) as client:
            alone = []
            for content in photos:
                said = client.post(
                    f"/v1/classifiers/{NAME}/predict?top_k=5&evidence=6",
                    content=content,
                    headers={"content-type": "image/jpeg"},
                )
                alone.append(said.elapsed.total_seconds())
        print(f"the same by the service alone: {_range(alone[1:])}")
        if given.pictures:
            register_many(url, given.pictures)
            for which in ("at first", "once more"):
                rate, longest, way = scrolled(page, url)
                print(
                    f"{given.pictures} pictures {which}: {rate:.1f} frames a second,"
                    f" 99 % within {longest:.0f} ms, {way:.0%} of the way"
                )
        browser.close()


def _range(seconds: list[float]) -> str:
    low, high = min(seconds), max(seconds)
    return f"{statistics.median(seconds):.2f} s ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
