from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch.nn.functional import normalize

from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads import HEADS, Head, Tuning

TUNING = Tuning({"alpha": 3.0, "beta": 5.0}, temperature=2.0)
N_CLASSES = 4


def embeddings(n: int, seed: int) -> ImageEmbeddings:
    generator = torch.Generator().manual_seed(seed)
    return ImageEmbeddings(
        normalize(torch.randn(n, 16, generator=generator), dim=-1),
        normalize(torch.randn(n, 24, generator=generator), dim=-1),
    )


def classes(names: bool = True) -> ClassSet:
    texts = embeddings(N_CLASSES, 99).frozen if names else None
    return ClassSet(torch.tensor([40, 10, 30, 20]), texts)


def support(n: int = 12, seed: int = 0, first_id: int = 0) -> SupportSet:
    return SupportSet(
        torch.arange(first_id, first_id + n),
        torch.tensor([10, 20, 30, 40])[torch.arange(n) % N_CLASSES],
        embeddings(n, seed),
    )


@pytest.fixture(params=sorted(HEADS))
def head(request: pytest.FixtureRequest) -> Head:
    return HEADS[request.param](100.0)


def test_adding_and_removing_is_fitting_what_is_left(head: Head) -> None:
    kept, gone, more = support(8), support(4, 1, 100), support(5, 2, 200)
    head.fit(classes(), kept.with_added(gone), TUNING)
    head.remove(gone.ids)
    head.add(more)
    refitted = type(head)(100.0).fit(classes(), kept.with_added(more), TUNING)
    queries = embeddings(6, 7)
    torch.testing.assert_close(head.score(queries).logits, refitted.score(queries).logits)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 30), row=st.integers(0, 29), method=st.sampled_from(sorted(HEADS)))
def test_an_answer_does_not_depend_on_its_batch(n: int, row: int, method: str) -> None:
    fitted = HEADS[method]().fit(classes(), support(), TUNING)
    queries = embeddings(n, 5)
    row %= n
    together = fitted.score(queries).logits[row]
    alone = fitted.score(queries[row : row + 1]).logits[0]
    torch.testing.assert_close(together, alone, rtol=1e-6, atol=1e-4)


def test_columns_follow_the_order_of_the_classes(head: Head) -> None:
    turned = torch.tensor([3, 1, 0, 2])
    known = classes()
    assert known.texts is not None
    other = ClassSet(known.ids[turned], known.texts[turned])
    queries = embeddings(3, 8)
    a = head.fit(known, support(), TUNING).score(queries).logits
    b = head.fit(other, support(), TUNING).score(queries).logits
    torch.testing.assert_close(a[:, turned], b)


def test_without_meaningful_names_there_is_no_zero_shot_term(head: Head) -> None:
    scores = head.fit(classes(names=False), support(), TUNING).score(embeddings(3, 8))
    assert torch.equal(scores.zero_shot, torch.zeros(3, N_CLASSES))


def test_without_images_the_names_alone_answer(head: Head) -> None:
    head.fit(classes(), SupportSet.empty(16, 24))
    queries = embeddings(3, 8)
    scores = head.score(queries)
    known = classes()
    assert known.texts is not None
    torch.testing.assert_close(scores.logits, 100 * queries.frozen @ known.texts.T)
    assert scores.matches.ids.shape == (3, 0)


def test_probabilities_are_the_softmax_at_the_temperature(head: Head) -> None:
    head.fit(classes(), support(), TUNING)
    scores = head.score(embeddings(3, 8))
    expected = (scores.logits / 2.0).softmax(dim=1)
    torch.testing.assert_close(head.probabilities(scores), expected)


def test_tuning_changes_nothing(head: Head) -> None:
    head.fit(classes(), support(), TUNING)
    before = head.score(embeddings(3, 8)).logits
    head.tune(classes(), support(20, 3))
    assert head.tuning_ is TUNING
    assert torch.equal(head.score(embeddings(3, 8)).logits, before)


def test_plus_plus_compares_images_by_the_corrected_embedding() -> None:
    images = support()
    frozen = HEADS["tip-adapter"]().fit(classes(), images, TUNING).score(images.embeddings)
    corrected = HEADS["tip-adapter++"]().fit(classes(), images, TUNING).score(images.embeddings)
    expected = images.embeddings.frozen @ images.embeddings.frozen.T
    torch.testing.assert_close(
        frozen.matches.similarities, expected.sort(dim=1, descending=True).values
    )
    expected = images.embeddings.corrected @ images.embeddings.corrected.T
    torch.testing.assert_close(
        corrected.matches.similarities, expected.sort(dim=1, descending=True).values
    )


def test_a_label_outside_of_the_classes_is_an_error() -> None:
    with pytest.raises(KeyError, match="not among the classes"):
        classes().columns(torch.tensor([10, 11]))
    with pytest.raises(KeyError, match="not among the classes"):
        ClassSet(torch.empty(0, dtype=torch.int64), None).columns(torch.tensor([1]))
    assert classes().columns(torch.tensor([[20, 40]])).tolist() == [[3, 0]]
