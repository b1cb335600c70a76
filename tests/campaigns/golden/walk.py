"""The walk over HTTP: one database from its first request to several restarts."""

from __future__ import annotations

import json
import re
import shutil

from tests.campaigns.golden.code import Code, Service
from tests.campaigns.golden.database import described
from tests.campaigns.golden.exchange import Request, with_body, with_files, zipped
from tests.campaigns.golden.pictures import LABELS, jpeg, many_kinds, png
from tests.campaigns.golden.recording import Placeholders, Recording
from tests.campaigns.golden.refusals import refusals, small_limits
from tests.campaigns.golden.story import QUERIES, Story, Told

HEADS = (
    "auto",
    "zero-shot",
    "tip-adapter",
    "tip-adapter++",
    "tip-x",
    "tip-x++",
    "ape",
    "ape++",
    "gda",
    "gda++",
)
ORDERLY: dict[str, object] = {"max_batch": 1, "decode_threads": 1}
"""One image in a pass: what it is together with depends on time, and moves the last digits."""
_OTHERWISE: dict[str, dict[str, object]] = {
    "partitioned": {"cache_exact_up_to": 8, "cache_storage": "int8", "classifier_memory": 1},
    "half": {"cache_exact_up_to": 8, "cache_storage": "float16"},
    "several": {"processes": 2},
}


def walk(code: Code, recording: Recording) -> None:
    """Record the part ``http``; the database and its ids are kept for the part ``upgrade``."""
    data, limited = recording.work / "http-data", recording.work / "limits-data"
    for folder in (data, limited):
        shutil.rmtree(folder, ignore_errors=True)
    log = recording.work / "logs" / "http.log"
    clean = Placeholders()
    clean.literally(recording.work, "<work>")
    clean.literally(code.folder, "<code>")
    story = Story(recording, "http", clean)

    with code.serving(data, log, **ORDERLY) as service:
        story.begin("00-start", service)
        _start(story)
        for method in HEADS:
            story.begin(f"10-head-{_plain(method)}")
            _head(story, method)
        for method in HEADS:
            story.begin(f"20-changes-{_plain(method)}")
            _changes(story, method)
        story.begin("30-uploads")
        _uploads(story)
        story.begin("31-kinds-of-images")
        _kinds(story)
        story.begin("40-reports")
        _reports(story)
        story.begin("50-refusals")
        refusals(story)
        story.begin("60-all")
        story.get("/v1/classifiers")
        story.note("metrics", _series(service))
    _ended(story, service)

    with code.serving(data, log, **ORDERLY) as service:
        story.begin("70-restarted", service)
        look_at_all(story)
    _ended(story, service)
    for name, settings in _OTHERWISE.items():
        with code.serving(data, log, **ORDERLY, **settings) as service:
            story.begin(f"80-{name}", service)
            look_at_all(story, reports=False)
            _one_more(story, f"more-{name}")
        _ended(story, service)
    story.begin("90-database")
    story.note("database", described(data / "handful.db"))
    story.end()
    numbers = json.dumps(clean.seen, indent=1)
    (recording.work / "http-numbers.json").write_text(numbers, "utf-8")

    clip = recording.work / "clip"
    with code.serving(limited, log, **ORDERLY, **small_limits(clip)) as service:
        story.begin("95-small-limits", service)
        _small(story)
    _ended(story, service)
    story.end()


def look_at_all(story: Story, *, reports: bool = True) -> None:
    """Look at each classifier, and ask it."""
    listed = story.get("/v1/classifiers").json()
    for number, one in enumerate(listed["classifiers"]):
        Told(story, one["name"]).look(reports=reports and number % 5 == 0)


def change(story: Story, name: str) -> None:
    """Change a classifier that has classes in several ways."""
    told = Told(story, name)
    told.put_class("waves")
    (first, *_) = told.post("waves", png("waves", 71), png("waves", 72))
    told.predict(evidence=5)
    story.delete(f"{told.class_url('waves')}/images/{first}")
    told.predict(evidence=5)
    told.put(method="ape", coverage=0.7, templates=["a drawing of {}."])
    told.look()


def _start(story: Story) -> None:
    for path in ("/healthz", "/readyz", "/v1/classifiers", "/docs", "/redoc", "/"):
        story.get(path)
    assert story.service is not None
    document = story.service.send(Request("GET", "/openapi.json")).json()
    document["info"]["version"] = "<version>"
    story.note("openapi.json", document)
    for method in ("HEAD", "OPTIONS", "POST"):
        story.ask(Request(method, "/v1/classifiers"))


def _head(story: Story, method: str) -> None:
    told = Told(story, f"head-{_plain(method)}")
    settings: dict[str, object] = {"coverage": 0.8} if HEADS.index(method) % 2 else {}
    told.put(method=method, **settings)
    told.post_zip(
        {f"{label}/{seed}.png": png(label, seed) for label in LABELS[:4] for seed in range(5)}
    )
    told.look(reports=method in {"auto", "tip-x++", "gda"})


def _changes(story: Story, method: str) -> None:
    told = Told(story, f"changes-{_plain(method)}")
    other = HEADS[(HEADS.index(method) + 3) % len(HEADS)]
    told.put(method=method, classes=["stripes", "rings"])
    told.predict(QUERIES[:2])
    told.put_class("rings")
    told.put_class("checks")
    told.predict(QUERIES[:2], top_k=1)
    (first, *_) = told.post("stripes", png("stripes", 1), png("stripes", 2))
    told.predict(evidence=1)
    told.post("stripes", png("stripes", 1))
    told.post("rings", png("rings", 1))
    told.post("rings", png("rings", 2), png("rings", 3))
    told.predict()
    told.post("stripes", png("rings", 3))
    told.post("sand", *(png("sand", seed) for seed in range(4)))
    told.post("rings", jpeg("rings", 5, 95), jpeg("rings", 5, 94), jpeg("rings", 5, 93))
    told.predict(evidence=100)
    story.get(f"{told.class_url('stripes')}/images/{first}")
    story.delete(f"{told.class_url('stripes')}/images/{first}")
    told.predict(evidence=0)
    story.delete(told.class_url("checks"))
    told.look()
    told.put(method=other)
    told.predict()
    told.put(method=method, templates=["a texture of {}.", "a photo of {} in {}."])
    told.predict()
    if method != "zero-shot":
        told.put(method=method, names_carry_meaning=False)
        told.predict()
    told.put(method=method, false_rejection_rate=0.4, coverage=0.9)
    told.predict()
    told.put(method=method, false_rejection_rate=0, coverage=0.5, classes=["brick wall"])
    told.look(reports=method in {"auto", "gda++"})


def _uploads(story: Story) -> None:
    told = Told(story, "uploads")
    told.put(method="tip-adapter++")
    told.post_zip(
        {
            "set/train/stripes/a.png": png("stripes", 10),
            "set/train/stripes/more/b.png": png("stripes", 11),
            "set/train/rings/a.png": png("rings", 10),
            "set/train/rings/b.png": png("rings", 10),
            "set/.DS_Store": b"x",
            "__MACOSX/set/train/rings/._a.png": b"x",
            "set/README.txt": b"about",
        }
    )
    told.post_zip({"Wellen/ä ö.png": png("waves", 10), "砂/一.png": png("sand", 10)})
    story.ask(
        with_files(
            f"{told.url}/support",
            [("checks/1.png", png("checks", 10)), ("sand/2.png", png("sand", 11))],
        )
    )
    inner = zipped({"checks/z.png": png("checks", 12), "waves/z.png": png("waves", 12)})
    story.ask(with_files(f"{told.url}/support", [("more.zip", inner)]))
    (one,) = told.post_body(jpeg("rings", 13), "image/jpeg", "/classes/rings/images")
    told.post_body(png("rings", 14), "application/octet-stream", "/classes/rings/images")
    story.get(f"{told.class_url('rings')}/images/{one}")
    story.ask(Request("HEAD", f"{told.class_url('rings')}/images/{one}"))
    told.post(" spaced  label ", png("rings", 15))
    told.post("e\u0301te\u0301", png("sand", 15))
    told.look()
    told.post_body(png("sand", 99), "image/png", "/predict?top_k=2")


def _kinds(story: Story) -> None:
    told = Told(story, "kinds")
    told.put(method="gda++")
    for name, content in many_kinds().items():
        told.post(name, content)
    told.predict(list(many_kinds().items()), top_k=3, evidence=3)
    told.look()


def _reports(story: Story) -> None:
    empty = Told(story, "report-empty")
    empty.put()
    one = Told(story, "report-one")
    one.put(classes=["rings"])
    one.post("rings", png("rings", 20))
    mixed = Told(story, "report-mixed")
    mixed.put(coverage=0.9)
    mixed.post_zip(
        {f"{label}/{seed}.png": png(label, seed) for label in LABELS for seed in range(30, 37)}
        | {"rings/wrong.png": png("stripes", 38), "sand/wrong.png": png("waves", 38)}
        | {f"waves/near-{q}.jpg": jpeg("waves", 39, q) for q in (95, 94, 93)}
        | {"Übung <&> 練習/a.png": png("checks", 40), "Übung <&> 練習/b.png": png("checks", 41)}
    )
    for told in (empty, one, mixed):
        for kind in ("", ".html", ".png", ".svg"):
            story.get(f"{told.url}/report{kind}")
    mixed.look(reports=True)


def _one_more(story: Story, name: str) -> None:
    told = Told(story, name)
    told.put(method="tip-adapter++")
    told.post_zip(
        {f"{label}/{seed}.png": png(label, seed) for label in LABELS[:3] for seed in range(26)}
    )
    change(story, name)
    story.delete(told.url)
    story.get(told.url)


def _small(story: Story) -> None:
    told = Told(story, "small")
    told.put(method="tip-x")
    ids = told.post("rings", png("rings", 1), png("rings", 2))
    told.post("sand", png("sand", 1), png("sand", 2))
    story.get(f"{told.class_url('rings')}/images/{ids[0]}")
    told.look(reports=True)
    told.put_class("third")
    told.put_class("fourth")
    told.put(classes=["third", "fourth", "fifth"])
    told.post("rings", *(png("rings", seed) for seed in range(10, 17)))
    told.post("rings", b"\x89PNG\r\n\x1a\n" + bytes(60_000))
    told.post_zip({f"rings/{i}.png": png("rings", 20 + i) for i in range(9)})
    told.post_body(bytes(200_000), "application/octet-stream", "/classes/rings/images")
    told.post("rings", many_kinds()["large.jpg"])
    told.predict(top_k=1000, evidence=100)
    story.ask(with_body("PUT", told.url, b"[" + b"1," * 3000 + b"1]", "application/json"))


def _ended(story: Story, service: Service) -> None:
    story.note("ended", {"exit status": service.exit_status, "tracebacks": service.tracebacks})
    story.end()


def _series(service: Service) -> list[str]:
    """Names and labels of the metrics; their values are of the moment."""
    text = service.send(Request("GET", "/metrics")).body.decode()
    lines = [line if line[:1] == "#" else line.rpartition(" ")[0] for line in text.splitlines()]
    return sorted({line for line in lines if not re.search(r"\b(python|process)_", line)})


def _plain(method: str) -> str:
    return method.replace("+", "p")
