"""A tenant with many classifiers cannot keep others out: of admission, of passes of texts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from threading import Event

import pytest
import torch
from torch import Tensor

from service.encoding.backpressure import AdmissionControl
from service.encoding.fair_queue import FairQueue, Priority
from service.encoding.text_passes import SHARED, TextPasses
from service.encoding.throughput import Throughput
from service.problems import Overloaded


class Nothing:
    waiting = dict.fromkeys(Priority, 0)
    throughput = Throughput()


def test_one_classifier_of_a_tenant_waits_as_little_as_all_of_another() -> None:
    queue: FairQueue[str] = FairQueue()
    for i in range(100):
        for j in range(10):
            queue.put(f"many {i} {j}", f"many/c{i}", Priority.QUERIES)
    for j in range(10):
        queue.put(f"few {j}", "few/a", Priority.QUERIES)
    taken = queue.take(20)
    assert sum(item.startswith("few") for item in taken) == 10


def test_where_a_tenant_has_filled_all_there_is_room_for_others() -> None:
    admission = AdmissionControl(Nothing(), 8)
    queries = Priority.QUERIES
    for i in range(16):
        admission.admit(1, f"many/c{i}", queries)
    with pytest.raises(Overloaded):
        admission.admit(1, "many/c16", queries)
    admission.admit(2, "few/a", queries)
    admission.admit(2, "few/b", queries)  # half of eight is its share
    with pytest.raises(Overloaded):
        admission.admit(1, "few/b", queries)
    admission.admit(1, "other/a", queries)
    with pytest.raises(Overloaded):
        admission.admit(1, "many/new", queries)
    admission.release(2, "few/a", queries)
    with pytest.raises(Overloaded):  # it is a third now
        admission.admit(2, "few/a", queries)
    admission.release(2, "few/b", queries)
    admission.admit(2, "few/a", queries)


def test_passes_of_texts_are_shared_by_tenants_first() -> None:
    passes: list[list[str]] = []
    held = Event()

    def encode(texts: Sequence[str]) -> Tensor:
        passes.append(list(texts))
        held.wait(10)
        return torch.zeros(len(texts), 1)

    async def ask() -> None:
        tower = TextPasses(encode)
        first = tower.submit(["first"], "x/a")
        await asyncio.sleep(0.05)
        others = [tower.submit([f"many {i}"] * 20, f"many/c{i}") for i in range(8)]
        others.append(tower.submit(["few"] * 20, "few/a"))
        held.set()
        await asyncio.gather(first.answer, *(one.answer for one in others))
        tower.close()

    asyncio.run(ask())
    assert len(passes[1]) == SHARED
    assert passes[1].count("few") == SHARED // 2
    assert passes[2].count("few") == SHARED // 2
