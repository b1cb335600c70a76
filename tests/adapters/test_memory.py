"""What objects say that they hold is what a walk through all of their attributes finds."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
import pytest
import torch
from torch import Tensor

from adapters.cache import CacheSettings, TorchBruteForce, choice
from adapters.cache.flat_rows import FlatRows
from adapters.change import Change
from adapters.classifier import FewShotClassifier
from adapters.heads import HEADS
from adapters.memory import storages
from tests.adapters.synthetic import make_task

DENSE = CacheSettings()
PARTITIONED = CacheSettings("int8", exact_up_to=2, per_class=0)
ON_DEVICE = CacheSettings(gpu=TorchBruteForce(torch.device("cpu")))


def walked(root: object) -> int:
    """Bytes of all tensors, arrays and indexes that are reached from it, each storage once."""
    found: dict[int, int] = {}
    seen: set[int] = set()
    waiting: list[Any] = [root]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Tensor):
            found[one.untyped_storage().data_ptr()] = one.untyped_storage().nbytes()
        elif isinstance(one, np.ndarray):
            found[one.__array_interface__["data"][0]] = one.nbytes
        elif id(one) in seen:
            continue
        elif isinstance(one, FlatRows):
            waiting.append(one.rows)  # room that is not used takes no memory
        elif isinstance(one, faiss.Index):
            seen.add(id(one))
            found[-id(one)] = one.ntotal * one.sa_code_size()
        elif type(one).__module__.startswith("adapters."):
            seen.add(id(one))
            slots = [name for of in type(one).__mro__ for name in getattr(of, "__slots__", ())]
            waiting += [*getattr(one, "__dict__", {}).values()]
            waiting += [getattr(one, name) for name in slots]
        elif isinstance(one, list | tuple):
            waiting += one
    return sum(found.values())


@pytest.mark.parametrize("cache", [DENSE, PARTITIONED, ON_DEVICE], ids=["dense", "ivf", "device"])
@pytest.mark.parametrize("method", sorted(HEADS))
def test_a_classifier_counts_all_that_it_holds_and_each_storage_once(
    method: str, cache: CacheSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "ON_GPU_FROM", 10)
    task = make_task([6, 3, 0, 9])
    classifier = FewShotClassifier(method, cache=cache).fit(task.classes, task.support)
    assert classifier.nbytes == walked(classifier)
    images = task.support.embeddings
    assert classifier.nbytes > images.frozen.nbytes + images.corrected.nbytes
    for change in (
        Change(added=task.draw([2, 0, 1, 3], 1, 1000), removed=task.support.ids[:5]),
        Change(removed=task.support.ids[5:]),
        Change(classes=task.classes),
    ):
        classifier.update(change)
        assert classifier.nbytes == walked(classifier)


def test_a_cache_that_did_not_copy_its_keys_adds_none_to_the_classifier() -> None:
    task = make_task([6, 6])
    classifier = FewShotClassifier("tip-adapter").fit(task.classes, task.support)
    cache = classifier.head_.cache_  # type: ignore[attr-defined]
    keys = task.support.embeddings.frozen
    assert cache.nbytes >= keys.nbytes
    assert keys.untyped_storage().data_ptr() in cache.storages()
    classifier.update(Change(removed=task.support.ids[:1]))
    assert cache.keys.untyped_storage().data_ptr() not in classifier.support.storages()


def test_a_view_holds_all_of_what_it_is_a_view_of() -> None:
    whole = torch.zeros(100)
    assert storages(whole[:3], whole[50:]) == storages(whole)
    assert sum(storages(whole).values()) == 400
    assert storages(None) == {}
