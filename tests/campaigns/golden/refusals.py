"""Requests that are refused, each for a reason of its own."""

from __future__ import annotations

from pathlib import Path

from tests.campaigns.golden.exchange import (
    Request,
    segment,
    with_body,
    with_files,
    with_json,
    zipped,
)
from tests.campaigns.golden.pictures import png
from tests.campaigns.golden.small_clip import write_small_clip
from tests.campaigns.golden.story import Story, Told

_URL = "/v1/classifiers"


def small_limits(clip: Path) -> dict[str, object]:
    """Settings of a service with low limits, a small model and no kept images."""
    write_small_clip(clip)
    return {
        "backbone": f"local-dir:{clip.name}",
        "runtime": "eager",
        "store_images": False,
        "max_image_bytes": 50_000,
        "max_image_pixels": 100_000,
        "max_images_per_request": 6,
        "max_request_bytes": 150_000,
        "max_json_bytes": 4_000,
        "max_unpacked_bytes": 100_000,
        "max_classes": 4,
    }


def refusals(story: Story) -> None:
    """Ask for what cannot be."""
    _absent(story)
    told = Told(story, "refused")
    told.put(classes=["rings"])
    told.post("rings", png("rings", 1))
    _settings(told)
    _names(story, told)
    _images(story, told)
    _paths(story)
    story.get(told.url)
    story.get(f"{told.url}/classes")
    story.delete(told.url)
    story.delete(told.url)


def _absent(story: Story) -> None:
    absent = Told(story, "absent")
    for path in ("", "/classes", "/classes/a", "/report", "/report.html", "/report.png"):
        story.get(absent.url + path)
    absent.predict()
    absent.post("a", png("rings", 1))
    absent.post_zip({"a/1.png": png("rings", 1)})
    absent.put_class("a")
    story.delete(absent.url)
    empty = Told(story, "empty")
    empty.put()
    empty.predict()
    story.get(empty.class_url("a"))
    story.delete(empty.class_url("a"))
    story.get(f"{empty.class_url('a')}/images/{'0' * 32}")
    story.delete(f"{empty.class_url('a')}/images/{'0' * 32}")


def _settings(told: Told) -> None:
    told.put(method="none")
    told.put(method="zero-shot", names_carry_meaning=False)
    told.put(templates=["no place"])
    told.put(templates=["{}" * 6])
    told.put(templates=["{}"] * 101)
    told.put(false_rejection_rate=1)
    told.put(coverage=0)
    told.put(coverage="0.5")
    told.put(colour="red")
    told.put(classes=["a/b"])
    told.put(classes=["x"] * 10_001)
    for body in (b"{", b"[]", b"null", b"", b'{"a": NaN}', b"\xff"):
        told.story.ask(with_body("PUT", told.url, body, "application/json"))
    told.story.ask(with_body("PUT", told.url, b"{}", "text/plain"))


def _names(story: Story, told: Told) -> None:
    for name in ("-a", "a" * 65, "a b", "ä"):
        story.ask(with_json("PUT", f"{_URL}/{segment(name)}", {}))
    for label in (".", "..", "a/b", "a\\b", "\u200b", "a\x07", "x" * 256, " ", "\ud7ff\ue000"):
        told.put_class(label)
    story.get(f"{told.class_url('rings')}/images/none")
    story.get(f"{told.class_url('rings')}/images/{'f' * 32}")


def _images(story: Story, told: Told) -> None:
    good = png("rings", 2)
    told.post("rings", b"no image")
    told.post("rings", good[: len(good) // 2])
    told.post("rings", good, b"", b"%PDF-1.4")
    told.post("rings")
    told.predict([("a.png", b"no image"), ("b.png", good[:200])])
    told.predict([])
    told.predict(top_k=0)
    told.predict(top_k=1001)
    told.predict(evidence=101)
    story.ask(with_body("POST", f"{told.url}/predict", good, "text/html"))
    story.ask(with_body("POST", f"{told.url}/predict", b"x", "multipart/form-data"))
    story.ask(
        with_body("POST", f"{told.url}/predict", b"--b\r\nx", "multipart/form-data; boundary=b")
    )
    late = with_files(f"{told.url}/predict", [("a.png", good)])
    for seconds in ("0", "soon", "1e-9"):
        headers = {**late.headers, "Request-Timeout": seconds}
        story.ask(Request("POST", late.path, late.body, headers, f"Request-Timeout: {seconds}"))
    told.post_zip({"flat.png": good})
    told.post_zip({"a/1.png": good, "a/2.png": b"no image"})
    told.post_zip({})
    told.post_zip({"../a.png": good, "/b/c.png": good})
    archive = zipped({"a/1.png": good})
    told.post_body(archive[:-30], "application/zip", "/support")
    told.post_body(archive, "application/zip", "/support?filename_encoding=none")
    told.post_body(good, "image/png", "/support")
    story.ask(with_files(f"{told.url}/support", [("a.png", good)]))


def _paths(story: Story) -> None:
    for path in (f"{_URL}/", "/v1", "//v1/classifiers", f"{_URL}/%zz", f"{_URL}/a/b/c", "/v2/x"):
        story.get(path)
    for method in ("PATCH", "POST", "DELETE", "TRACE", "OPTIONS", "HEAD"):
        story.ask(Request(method, _URL))
        story.ask(Request(method, f"{_URL}/absent"))
    for headers in (
        {"Origin": "https://elsewhere.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        about = str(headers)
        story.ask(Request("PUT", f"{_URL}/foreign", b"{}", headers, about))
        story.ask(Request("GET", _URL, b"", headers, about))
    story.ask(Request("PUT", f"{_URL}/zipped", b"x", {"Content-Encoding": "br"}, "br"))
    story.ask(Request("PUT", f"{_URL}/zipped", b"x", {"Content-Encoding": "gzip"}, "no gzip"))
