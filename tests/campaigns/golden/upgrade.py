"""A database that another version has written, served, changed, and moved to another backbone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.campaigns.golden.code import Code
from tests.campaigns.golden.commands import ended
from tests.campaigns.golden.database import described
from tests.campaigns.golden.recording import Placeholders, Recording
from tests.campaigns.golden.small_clip import write_small_clip
from tests.campaigns.golden.story import Story
from tests.campaigns.golden.walk import ORDERLY, change, look_at_all


def upgrade(code: Code, recording: Recording, written: Path) -> None:
    """Record the part ``upgrade``.

    Args:
        code: What serves the database now.
        recording: Where it is recorded.
        written: Folder of the recording whose part ``http`` wrote the database.
    """
    work = written.resolve() / "work"
    clean = Placeholders(json.loads((work / "http-numbers.json").read_text("utf-8")))
    clean.literally(recording.work, "<work>")
    clean.literally(code.folder, "<code>")
    data = recording.work / "upgrade-data"
    log = recording.work / "logs" / "upgrade.log"
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(work / "http-data", data)
    story = Story(recording, "upgrade", clean)
    with code.serving(data, log, **ORDERLY) as service:
        story.begin("10-served", service)
        look_at_all(story)
        story.begin("20-changed")
        for name in ("head-auto", "head-tip-adapterpp", "report-mixed"):
            change(story, name)
        story.delete("/v1/classifiers/head-gda")
        story.get("/v1/classifiers")
    story.begin("30-database")
    story.note("database", described(data / "handful.db"))

    write_small_clip(recording.work / "clip")
    small: dict[str, object] = {"backbone": "local-dir:clip", "runtime": "eager"}
    story.begin("40-moved")
    refused = code.handful("serve", "--port", 0, "--data-dir", data, **small)
    story.note("refused", {"exit status": refused.returncode})
    story.note("re-embed", ended(code.handful("re-embed", "--data-dir", data, **small), clean))
    with code.serving(data, log, **ORDERLY, **small) as service:
        story.begin("50-served", service)
        look_at_all(story)
    story.begin("60-database")
    story.note("database", described(data / "handful.db"))
    story.end()
