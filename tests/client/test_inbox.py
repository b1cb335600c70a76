"""The inbox by the client: queries that are remembered, and judged."""

from __future__ import annotations

import time

import pytest
from handful_client import Classifier, NotFound, Settings

from tests.client.coloured import coloured


def test_remembered_queries_are_judged(classifier: Classifier) -> None:
    classifier.put(Settings(remember="all"))
    for colour in ("red", "blue"):
        classifier.add(colour, [coloured(colour, i) for i in range(3)])
    asked = [coloured(("red", "blue")[i % 2], 50 + i) for i in range(4)]
    for one in asked:
        classifier.predict(one)
    deadline = time.monotonic() + 30  # they are written soon after the answer
    while len(waiting := list(classifier.inbox())) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [one.label for one in waiting] == ["blue", "red", "blue", "red"]
    assert [one.label for one in classifier.inbox(label="red")] == ["red", "red"]
    ids = [one.id for one in waiting]
    assert classifier.remembered(ids[0]).label == "blue"
    assert classifier.remembered_image(ids[0]) == asked[3]
    assert classifier.remembered_thumbnail(ids[0]).startswith(b"\xff\xd8\xff")
    assert classifier.confirm(ids[0]).right
    corrected = classifier.correct(ids[1], "green")
    assert (corrected.right, corrected.image and corrected.image.label) == (False, "green")
    assert classifier.reject(ids[2]).image is not None
    classifier.forget(ids[3])
    assert list(classifier.inbox()) == []
    with pytest.raises(NotFound) as gone:
        classifier.confirm(ids[0])
    assert gone.value.type == "not-in-the-inbox"
    told = classifier.accuracy(days=1, windows=2)
    assert (told.together.judged, told.together.right) == (3, 1)
