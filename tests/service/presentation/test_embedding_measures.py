"""Presentation of embedding measures: table rows, sentences, and the axes of histograms."""

from __future__ import annotations

import pytest

from service.presentation.interpretation import interpretation, neighbours_verdict
from service.presentation.measure_schemas import (
    AgainstTextsOut,
    EmbeddingOut,
    MeasuresOut,
    OverlapOut,
    OverlapsOut,
    SimilarityBin,
)
from service.presentation.measure_table import MeasureRow, measure_rows
from service.presentation.similarity_histograms import histograms


def embedding(texts: AgainstTextsOut | None = None, **values: float | None) -> EmbeddingOut:
    figures: dict[str, float | None] = {
        "neighbour_accuracy": 0.8,
        "paired_similarity": 0.5,
        "unpaired_similarity": 0.2,
        "uniformity": -2.0,
        "variance": 0.7,
    }
    return EmbeddingOut.model_validate(figures | values | {"texts": texts})


def measures(
    before: EmbeddingOut,
    after: EmbeddingOut,
    gained: int = 0,
    lost: int = 0,
    *,
    is_corrected: bool = True,
    same_space: bool = True,
) -> MeasuresOut:
    return MeasuresOut(
        is_corrected=is_corrected,
        same_space=same_space,
        n_judged=100,
        gained=gained,
        lost=lost,
        frozen=before,
        corrected=after,
    )


def overlap_of(n: int, *bins: tuple[float, float, float]) -> OverlapOut:
    made = [SimilarityBin(low=low, high=low + 0.01, paired=p, unpaired=u) for low, p, u in bins]
    area = sum(min(one.paired, one.unpaired) for one in made)
    return OverlapOut(overlap=area if n else None, n_paired=n, n_unpaired=n, bins=made)


NARROW = overlap_of(900, (0.30, 0.0, 0.6), (0.31, 0.5, 0.4), (0.32, 0.5, 0.0))
WIDE = overlap_of(900, (-0.2, 0.0, 0.5), (0.5, 0.2, 0.5), (0.9, 0.8, 0.0))
OVERLAPS = OverlapsOut(frozen=NARROW, corrected=WIDE)
NAMES = AgainstTextsOut(alignment=1.5, relative_alignment=-0.1, modality_gap=0.8, uniformity=-2.0)


@pytest.mark.parametrize(
    ("better", "before", "after", "improved"),
    [
        ("lower", 0.5, 0.4, True),
        ("lower", 0.4, 0.5, False),
        ("higher", 0.4, 0.5, True),
        ("higher", 0.5, 0.4, False),
        ("lower", 0.50004, 0.49996, None),  # looks the same
        (None, 0.4, 0.5, None),
        ("lower", 0.5, None, None),
    ],
)
def test_row_is_improved_only_in_the_direction_that_is_better(
    better: str, before: float, after: float | None, improved: bool | None
) -> None:
    assert MeasureRow("name", "meaning", better, before, after).improved is improved  # type: ignore[arg-type]


def test_cells_show_values_and_their_difference() -> None:
    assert MeasureRow("", "", "lower", -2.0, -2.5).cells == ("−2.000", "−2.500", "−0.500")
    assert MeasureRow("", "", "lower", 0.5, 0.75, percent=True).cells == (
        "50.0 %", "75.0 %", "+25.0 points",
    )  # fmt: skip
    assert MeasureRow("", "", "lower", 0.5, 0.5001).cells == ("0.500", "0.500", "0")
    assert MeasureRow("", "", "lower", 0.5, None).cells == ("0.500", "–", "–")


def test_rows_against_class_names_are_there_only_with_text_measures() -> None:
    plain = measure_rows(OVERLAPS, measures(embedding(), embedding()))
    named = measure_rows(OVERLAPS, measures(embedding(NAMES), embedding()))
    assert [row.name for row in plain] == [row.name for row in named][: len(plain)]
    against = named[len(plain) :]
    assert [row.before for row in against] == [1.5, -0.1, 0.8, -2.0]
    assert [row.after for row in against] == [None] * 4


def test_uniformity_and_variance_are_not_compared_across_spaces() -> None:
    before, after = embedding(), embedding(uniformity=-1.0, variance=0.9)
    for same_space, improved in ((True, [False, True]), (False, [None, None])):
        found = {
            row.name: row.improved
            for row in measure_rows(OVERLAPS, measures(before, after, same_space=same_space))
        }
        assert [found["uniformity"], found["total feature variance"]] == improved


@pytest.mark.parametrize(
    ("gained", "lost", "verdict", "improved"),
    [
        (20, 2, "it helps", True),
        (2, 20, "it harms", False),
        (5, 2, "no clear difference", None),
        (0, 0, "no clear difference", None),
        (104, 100, "no clear difference", None),
    ],
)
def test_verdict_is_no_clear_difference_within_the_sign_test(
    gained: int, lost: int, verdict: str, improved: bool | None
) -> None:
    after = embedding(neighbour_accuracy=0.8 + (gained - lost) / 100)
    found = measures(embedding(), after, gained, lost)
    assert verdict in neighbours_verdict(found)
    assert f"{gained} ha" in neighbours_verdict(found)
    assert measure_rows(OVERLAPS, found)[0].improved is improved


def test_mark_agrees_with_verdict_at_the_margin_of_the_sign_test() -> None:
    """Four images of 112: 3.57 %, which is shown as 3.6 %."""
    before, after = embedding(neighbour_accuracy=71 / 112), embedding(neighbour_accuracy=75 / 112)
    found = measures(before, after, 4, 0).model_copy(update={"n_judged": 112})
    assert "no clear difference" in neighbours_verdict(found)
    assert measure_rows(OVERLAPS, found)[0].improved is None


def test_interpretation_explains_missing_measures() -> None:
    once = measures(embedding(NAMES), embedding(NAMES), is_corrected=False)
    assert interpretation(once) == [
        "This backbone has no correction, so there is one embedding only."
    ]
    apart = " ".join(interpretation(measures(embedding(NAMES), embedding(), same_space=False)))
    assert "space of its own" in apart
    assert "names carry no meaning" not in apart
    assert "names carry no meaning" in " ".join(interpretation(measures(embedding(), embedding())))


def test_histograms_share_edges_and_top() -> None:
    narrow, wide = histograms([NARROW, WIDE])
    assert narrow.edges == wide.edges
    assert (narrow.edges[0], narrow.edges[-1]) == (-0.2, 0.92)
    assert narrow.top == wide.top == pytest.approx(1.0)
    # Two intervals of 0.01 make a bar of 0.02.
    at = narrow.edges.index(0.3)
    assert (narrow.paired[at], narrow.unpaired[at]) == pytest.approx((0.5, 1.0))
    assert narrow.shared[at] == pytest.approx(0.5)
    for one in (narrow, wide):
        assert len(one.edges) == len(one.paired) + 1 == len(one.unpaired) + 1
        assert sum(one.paired) == pytest.approx(1)
        assert sum(one.unpaired) == pytest.approx(1)


def test_few_pairs_give_wide_bins_in_all_histograms() -> None:
    few = overlap_of(20, (0.3, 1.0, 0.0), (0.5, 0.0, 1.0))
    for one in histograms([few, NARROW]):
        assert one.edges[1] - one.edges[0] == pytest.approx(0.04)


def test_histograms_leave_out_overlaps_without_pairs() -> None:
    assert histograms([overlap_of(0)]) == []
    assert len(histograms([overlap_of(0), NARROW])) == 1
