"""A user of the studio, in a real browser."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, FilePayload, Locator, Page

# Where pictures of the pages are put, if anywhere: docs/studio for the documentation.
PICTURES = os.environ.get("HANDFUL_STUDIO_PICTURES")


def png(name: str, content: bytes) -> FilePayload:
    """A picture as a dialog of files gives it."""
    return {"name": name, "mimeType": "image/png", "buffer": content}


@dataclass
class Visitor:
    """Somebody at a page of the studio.

    Attributes:
        page: Theirs.
        url: Of the service.
        complaints: What the browser had to say; a violated security policy is among it.
    """

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls, browser: Browser, url: str, *, width: int = 1280, height: int = 800, dark: bool = False
    ) -> Visitor:
        """Open a page as wide as a desk or a phone."""
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            accept_downloads=True,
        )
        page = context.new_page()
        page.set_default_timeout(30_000)
        visitor = cls(page, url)
        page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
        page.on("console", visitor._hear)
        return visitor

    def _hear(self, message: ConsoleMessage) -> None:
        # What the service refuses is told by the page itself; browsers write it down as well.
        if message.type in {"warning", "error"} and "Failed to load" not in message.text:
            self.complaints.append(message.text)

    def open(self, name: str, tab: str) -> None:
        """Go to a page of a classifier."""
        self.page.goto(f"{self.url}/studio#/classifiers/{name}/{tab}")
        current = self.page.locator(".tabs [aria-current]")
        current.get_by_text(tab.capitalize(), exact=True).wait_for()

    def card(self, label: str) -> Locator:
        """A class on the page where one teaches."""
        return self.page.locator(f'section[data-label="{label}"]')

    def drop(self, onto: Locator, files: Mapping[str, bytes]) -> None:
        """Drop files, by their names, as from a folder of the machine."""
        listed = [[name, base64.b64encode(content).decode()] for name, content in files.items()]
        transfer = self.page.evaluate_handle(
            """(files) => {
                const transfer = new DataTransfer();
                for (const [name, content] of files) {
                    const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
                    transfer.items.add(new File([bytes], name, { type: "image/png" }));
                }
                return transfer;
            }""",
            listed,
        )
        for event in ("dragenter", "dragover", "drop"):
            onto.dispatch_event(event, {"dataTransfer": transfer})

    def remember(self, name: str) -> None:
        """Keep a picture of what one sees of the page, where that is asked for."""
        if PICTURES is None:
            return
        messages = self.page.locator(".toast button.icon")
        while messages.count():
            messages.first.click()
        self.page.wait_for_load_state("networkidle")
        self.page.evaluate("document.activeElement?.blur()")
        self.page.screenshot(path=Path(PICTURES) / f"{name}.png")

    def overflows(self) -> int:
        """Pixels that the page is wider than what one sees of it."""
        root = "document.documentElement"
        return int(self.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))

    def leave(self) -> None:
        """Close the page; nothing went wrong on it."""
        self.page.context.close()
        assert self.complaints == []
