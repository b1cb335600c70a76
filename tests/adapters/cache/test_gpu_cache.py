"""A cache on a device answers as the one on the processor does."""

from __future__ import annotations

import subprocess
import sys

import faiss
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from adapters.cache import (
    BruteForce,
    CacheSettings,
    GpuCache,
    KeyValueCache,
    TorchBruteForce,
    brute_force_on,
    choice,
    faiss_gpu,
    on_gpu,
)
from adapters.cache.dense_votes import exponential
from adapters.cache.faiss_gpu import FaissBruteForce, differs, unusable
from adapters.change import Change
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads import HEADS
from adapters.heads.tip_adapter import TipAdapter
from tests.adapters.cache.faiss_on_cpu import FaissOnCpu
from tests.gpu import needs_gpu

CPU = torch.device("cpu")
BY_TORCH = TorchBruteForce(CPU)
GPU = pytest.param("PyTorch on a GPU", marks=needs_gpu)
FAISS_GPU = pytest.param("FAISS on a GPU", marks=needs_gpu)
WAYS = ["PyTorch", "PyTorch float32", "FAISS", "FAISS float32", GPU, FAISS_GPU]


def brute_force(way: str) -> BruteForce:
    """What compares; FAISS on a CPU is its CPU functions, called as those for a GPU are."""
    dtype = torch.float32 if way.endswith("float32") else torch.float16
    if way == FAISS_GPU.values[0]:
        device = torch.device("cuda", 0)
        if (reason := unusable(device)) is not None:
            pytest.skip(f"not compared by FAISS on the GPU: {reason}")
        return FaissBruteForce(device)
    if way == GPU.values[0]:
        return TorchBruteForce(torch.device("cuda"))
    if way.startswith("FAISS"):
        return FaissBruteForce(CPU, dtype, FaissOnCpu())
    return TorchBruteForce(CPU, dtype)


WIDTH, CLASSES, BETA = 24, 5, 5.5


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks and groups of a few rows, so that there are many; a few keys are enough for a GPU."""
    monkeypatch.setattr(on_gpu, "_BLOCK", 32)
    monkeypatch.setattr(on_gpu, "_LEAST", 4)
    monkeypatch.setattr(on_gpu, "_GROUP", 7)
    monkeypatch.setattr(choice, "ON_GPU_FROM", 60)


def unit(n: int, seed: int) -> Tensor:
    return normalize(torch.randn(n, WIDTH, generator=torch.Generator().manual_seed(seed)), dim=1)


def support(n: int, first: int = 0) -> SupportSet:
    # What float16 holds exactly: rounding is another matter.
    rows = unit(n, first).half().float()
    ids = torch.arange(first, first + n)
    return SupportSet(ids, ids * 7 % CLASSES + 100, ImageEmbeddings(rows, rows))


def both(n: int, by: BruteForce = BY_TORCH) -> tuple[GpuCache, KeyValueCache]:
    images = support(n)
    dense = KeyValueCache(WIDTH)
    dense.add(images.ids, images.embeddings.frozen, images.labels)
    return GpuCache(by, images.ids, images.embeddings.frozen, images.labels), dense


def same_answers(cache: GpuCache, dense: KeyValueCache, n: int = 20) -> None:
    assert len(cache) == len(dense)
    queries = unit(n, 999).half().float()
    labels = sorted(set(dense.labels.tolist()))
    votes, matches = cache.answer(queries, BETA, labels, 4)
    own = (dense.labels[:, None] == torch.tensor(labels)).float()
    wanted = exponential(dense.similarities(queries), BETA) @ own
    torch.testing.assert_close(votes, wanted, rtol=1e-4, atol=1e-6)
    nearest = dense.nearest(queries, 4)
    torch.testing.assert_close(matches.similarities, nearest.similarities, rtol=0, atol=1e-5)
    assert torch.equal(matches.ids, nearest.ids)
    assert torch.equal(matches.labels, nearest.labels)
    every = cache.nearest(queries[:3])
    assert every.ids.shape == (3, len(dense))
    assert torch.equal(every.ids.sort(dim=1).values, dense.ids.sort().values.expand(3, -1))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("n", [1, 31, 32, 33, 150])
def test_answers_are_those_of_the_dense_cache(n: int, way: str) -> None:
    same_answers(*both(n, brute_force(way)))


@pytest.mark.parametrize("way", WAYS)
def test_answers_are_the_same_after_every_change(way: str) -> None:
    cache, dense = both(70, brute_force(way))
    generator = torch.Generator().manual_seed(1)
    for step in range(12):
        more = support(3 + 9 * (step % 4), 1000 * (step + 1))
        for one in (cache, dense):
            one.add(more.ids, more.embeddings.frozen, more.labels)
        gone = dense.ids[torch.randperm(len(dense), generator=generator)[: 5 + 11 * (step % 3)]]
        for one in (cache, dense):
            one.remove(gone)
        same_answers(cache, dense)
    last = dense.ids.clone()
    cache.remove(last)
    assert len(cache) == 0
    assert cache.nearest(unit(2, 0), 3).ids.shape == (2, 0)
    cache.add(last, unit(len(last), 3), torch.zeros_like(last))
    assert len(cache) == len(last)


def test_a_class_that_comes_later_has_votes_of_its_own() -> None:
    cache, _ = both(40)
    query = unit(1, 5)
    before, _ = cache.answer(query, BETA, [100, 101], 1)
    cache.add(torch.tensor([7000]), query, torch.tensor([42]))
    votes, matches = cache.answer(query, BETA, [42, 100, 101], 1)
    torch.testing.assert_close(votes[:, 1:], before)
    assert float(votes[0, 0]) == pytest.approx(1, abs=1e-2)
    assert matches.ids.tolist() == [[7000]]


def test_what_does_not_fit_is_refused_and_changes_nothing() -> None:
    cache, dense = both(40)
    more = support(3, 38)
    with pytest.raises(ValueError, match="already in the cache"):
        cache.add(more.ids, more.embeddings.frozen, more.labels)
    with pytest.raises(ValueError, match="already in the cache"):
        cache.add(torch.tensor([90, 90]), unit(2, 0), torch.tensor([1, 1]))
    with pytest.raises(ValueError, match="expected 2 keys"):
        cache.add(torch.tensor([90, 91]), unit(3, 0), torch.tensor([1, 1]))
    with pytest.raises(KeyError, match="777"):
        cache.remove(torch.tensor([3, 777]))
    same_answers(cache, dense)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "method", ["tip-adapter", "tip-adapter++", "tip-x", "ape++", "gda", "auto"]
)
def test_heads_answer_the_same_with_keys_on_a_device(method: str, way: str) -> None:
    classes = ClassSet(torch.arange(CLASSES) + 100, unit(CLASSES, 77))
    images, queries = support(90), ImageEmbeddings(unit(9, 55), unit(9, 55))

    def answers(gpu: BruteForce | None) -> tuple[FewShotClassifier, list[Tensor]]:
        classifier = FewShotClassifier(method, cache=CacheSettings(gpu=gpu)).fit(classes, images)
        found = [classifier.answer(queries, 3)]
        classifier.update(Change(added=support(8, 500), removed=torch.tensor([4, 88])))
        found.append(classifier.answer(queries, 3))
        return classifier, [
            tensor for one in found for tensor in (one.scores.logits, one.scores.matches.ids)
        ]

    head, found = answers(brute_force(way))
    _, wanted = answers(None)
    if method.startswith("tip"):
        assert isinstance(head.head_.cache_, GpuCache)  # type: ignore[attr-defined]
    for one, exact in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, exact, rtol=2e-3, atol=2e-2)


def test_a_cache_moves_to_the_device_when_it_has_grown_enough() -> None:
    classes = ClassSet(torch.arange(CLASSES) + 100, None)
    head = HEADS["tip-adapter"](100.0, CacheSettings(gpu=BY_TORCH)).fit(classes, support(50))
    assert isinstance(head, TipAdapter)
    assert isinstance(head.cache_, KeyValueCache)
    head.update(Change(added=support(20, 50)))
    assert isinstance(head.cache_, GpuCache)
    assert len(head.cache_) == 70


def test_keys_stay_on_the_processor_where_the_device_has_no_room(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> GpuCache:
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(choice, "GpuCache", full)
    classes = ClassSet(torch.arange(CLASSES) + 100, None)
    head = HEADS["tip-adapter"](100.0, CacheSettings(gpu=BY_TORCH)).fit(classes, support(70))
    assert isinstance(head, TipAdapter)
    assert isinstance(head.cache_, KeyValueCache)
    assert "no room for 70 keys" in caplog.text


def test_faiss_is_told_what_is_where_and_on_which_stream_to_wait() -> None:
    api = FaissOnCpu()
    by = FaissBruteForce(CPU, torch.float16, api)
    rows = unit(40, 0).half()
    views = rows[8:40][:, :]  # begins in the middle of its storage
    products = by.products(rows[3:5], views)
    torch.testing.assert_close(products, rows[3:5].float() @ views.float().T)
    best, at = by.nearest(rows[10:12], views, 3)
    assert at[:, 0].tolist() == [2, 3]
    wanted = (rows[10:12].float() @ views.float().T).topk(3)
    torch.testing.assert_close(best, wanted.values)
    assert torch.equal(at, wanted.indices)
    assert [asked.k for asked in api.asked] == [-1, 3]
    assert api.scratch == faiss_gpu._SCRATCH
    assert differs(by) is None


def test_more_than_faiss_selects_is_selected_from_all_products(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(faiss_gpu, "_MOST", 4)
    api = FaissOnCpu()
    rows = unit(40, 0)
    by = FaissBruteForce(CPU, torch.float32, api)
    best, at = by.nearest(rows[:2], rows, 9)
    wanted = (rows[:2] @ rows.T).topk(9)
    torch.testing.assert_close(best, wanted.values)
    assert torch.equal(at, wanted.indices)
    assert [asked.k for asked in api.asked] == [-1]
    assert by.products(rows[:0], rows).shape == (0, 40)
    assert by.nearest(rows[:0], rows, 2)[1].shape == (0, 2)


def test_what_answers_wrongly_is_found_out() -> None:
    class Wrong(TorchBruteForce):
        def products(self, queries: Tensor, keys: Tensor) -> Tensor:
            return super().products(queries, keys) + 1

    assert "products are off by 1" in str(differs(Wrong(CPU)))


def test_without_gpu_support_in_faiss_pytorch_compares_and_the_log_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    device = torch.device("cuda", 0)
    monkeypatch.delattr(faiss, "StandardGpuResources", raising=False)
    assert isinstance(brute_force_on(device), TorchBruteForce)
    assert "by PyTorch: the FAISS that is installed has no GPU support" in caplog.text

    monkeypatch.setattr(faiss, "StandardGpuResources", object, raising=False)
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 0)
    assert isinstance(brute_force_on(device), TorchBruteForce)
    assert "FAISS sees 0 GPUs" in caplog.text

    # It seems to be there, and fails: in another process, which has no GPU here.
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert isinstance(brute_force_on(device), TorchBruteForce)
    assert "FAISS fails there: exit status 1" in caplog.text

    monkeypatch.setattr(sys, "executable", "/bin/true")
    monkeypatch.setattr(choice, "FaissBruteForce", lambda device: BY_TORCH)
    assert brute_force_on(device) is BY_TORCH
    assert "caches on cuda:0 are compared by FAISS" in caplog.text


@pytest.mark.long
def test_the_trial_says_on_its_last_line_why_it_failed() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU: nothing fails")
    trial = subprocess.run(
        [sys.executable, "-m", "adapters.cache.faiss_gpu_trial", "0"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert trial.returncode != 0
    assert "Error" in trial.stderr.strip().splitlines()[-1]
