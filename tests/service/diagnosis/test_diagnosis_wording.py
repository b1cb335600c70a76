"""What a diagnosis says of its figures, and the axes of its histograms."""

from __future__ import annotations

import pytest

from service.diagnosis.histograms import histograms
from service.diagnosis.lines import Line, lines
from service.diagnosis.schemas import (
    AgainstTextsOut,
    EmbeddingOut,
    MeasuresOut,
    OverlapOut,
    OverlapsOut,
    SimilarityBin,
)
from service.diagnosis.wording import neighbours_verdict, told


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


def counted(n: int, *bins: tuple[float, float, float]) -> OverlapOut:
    made = [SimilarityBin(low=low, high=low + 0.01, paired=p, unpaired=u) for low, p, u in bins]
    area = sum(min(one.paired, one.unpaired) for one in made)
    return OverlapOut(overlap=area if n else None, n_paired=n, n_unpaired=n, bins=made)


NARROW = counted(900, (0.30, 0.0, 0.6), (0.31, 0.5, 0.4), (0.32, 0.5, 0.0))
WIDE = counted(900, (-0.2, 0.0, 0.5), (0.5, 0.2, 0.5), (0.9, 0.8, 0.0))
OVERLAPS = OverlapsOut(frozen=NARROW, corrected=WIDE)
NAMES = AgainstTextsOut(alignment=1.5, relative_alignment=-0.1, modality_gap=0.8, uniformity=-2.0)


@pytest.mark.parametrize(
    ("better", "before", "after", "helped"),
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
def test_which_way_is_better_decides(
    better: str, before: float, after: float | None, helped: bool | None
) -> None:
    assert Line("name", "told", better, before, after).helped is helped  # type: ignore[arg-type]


def test_figures_are_written_with_their_differences() -> None:
    assert Line("", "", "lower", -2.0, -2.5).written == ("−2.000", "−2.500", "−0.500")
    assert Line("", "", "lower", 0.5, 0.75, percent=True).written == (
        "50.0 %", "75.0 %", "+25.0 points",
    )  # fmt: skip
    assert Line("", "", "lower", 0.5, 0.5001).written == ("0.500", "0.500", "0")
    assert Line("", "", "lower", 0.5, None).written == ("0.500", "–", "–")


def test_lines_against_names_come_with_names() -> None:
    plain = lines(OVERLAPS, measures(embedding(), embedding()))
    named = lines(OVERLAPS, measures(embedding(NAMES), embedding()))
    assert [line.name for line in plain] == [line.name for line in named][: len(plain)]
    against = named[len(plain) :]
    assert [line.before for line in against] == [1.5, -0.1, 0.8, -2.0]
    assert [line.after for line in against] == [None] * 4


def test_features_of_another_kind_are_not_judged_by_their_spread() -> None:
    before, after = embedding(), embedding(uniformity=-1.0, variance=0.9)
    for same_space, helped in ((True, [False, True]), (False, [None, None])):
        found = {
            line.name: line.helped
            for line in lines(OVERLAPS, measures(before, after, same_space=same_space))
        }
        assert [found["uniformity"], found["total feature variance"]] == helped


@pytest.mark.parametrize(
    ("gained", "lost", "verdict", "helped"),
    [
        (20, 2, "it helps", True),
        (2, 20, "it harms", False),
        (5, 2, "no clear difference", None),
        (0, 0, "no clear difference", None),
        (104, 100, "no clear difference", None),
    ],
)
def test_a_few_images_are_no_verdict(
    gained: int, lost: int, verdict: str, helped: bool | None
) -> None:
    after = embedding(neighbour_accuracy=0.8 + (gained - lost) / 100)
    found = measures(embedding(), after, gained, lost)
    assert verdict in neighbours_verdict(found)
    assert f"{gained} ha" in neighbours_verdict(found)
    assert lines(OVERLAPS, found)[0].helped is helped


def test_the_mark_agrees_with_the_verdict_at_the_edge() -> None:
    """Four images of 112: 3.57 %, which is shown as 3.6 %."""
    before, after = embedding(neighbour_accuracy=71 / 112), embedding(neighbour_accuracy=75 / 112)
    found = measures(before, after, 4, 0).model_copy(update={"n_judged": 112})
    assert "no clear difference" in neighbours_verdict(found)
    assert lines(OVERLAPS, found)[0].helped is None


def test_what_is_missing_is_explained() -> None:
    once = measures(embedding(NAMES), embedding(NAMES), is_corrected=False)
    assert told(once) == ["This backbone has no correction, so there is one embedding only."]
    apart = " ".join(told(measures(embedding(NAMES), embedding(), same_space=False)))
    assert "space of its own" in apart
    assert "names carry no meaning" not in apart
    assert "names carry no meaning" in " ".join(told(measures(embedding(), embedding())))


def test_histograms_share_their_axes() -> None:
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


def test_few_pairs_make_wide_bars_for_both() -> None:
    few = counted(20, (0.3, 1.0, 0.0), (0.5, 0.0, 1.0))
    for one in histograms([few, NARROW]):
        assert one.edges[1] - one.edges[0] == pytest.approx(0.04)


def test_without_pairs_there_is_nothing_to_draw() -> None:
    assert histograms([counted(0)]) == []
    assert len(histograms([counted(0), NARROW])) == 1
