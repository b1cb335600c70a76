"""The small CLIP: what it is trained on, and how sure its figures are said to be."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from adapters.training.order import Turn
from benchmarks.small_clip.clip import tokens
from benchmarks.small_clip.data import ROOM, SIDE, Pictures, miscaptioned
from benchmarks.small_clip.intervals import interval, tables
from benchmarks.small_clip.pretraining import TEMPLATES, Rounds
from benchmarks.small_clip.seeds import COLUMNS, Part


@pytest.fixture
def pictures() -> Pictures:
    """Twelve images of three classes; the level of each is its number."""
    levels = torch.arange(12, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, ROOM, ROOM)
    return Pictures(levels * 20, torch.arange(12) % 3, ("owl", "sea lake", "tick"))


def test_a_round_has_one_image_of_every_name_and_an_epoch_has_all(pictures: Pictures) -> None:
    rounds = Rounds(pictures, seed=3)
    written = tokens(pictures.names)
    assert torch.equal(rounds.tokens[TEMPLATES.index("a photo of a {}.")], written)
    assert len(rounds) == 4
    turns = [Turn(number, 7) for number in range(4)]
    seen = torch.stack([rounds.chosen(turn) for turn in turns])
    assert sorted(seen.flatten().tolist()) == list(range(12))
    assert pictures.labels[seen].tolist() == [[0, 1, 2]] * 4
    assert not torch.equal(seen, torch.stack([rounds.chosen(Turn(n, 8)) for n in range(4)]))
    pixels, said = rounds[turns[0]]
    assert pixels.shape == (3, 3, SIDE, SIDE)
    assert all(row.tolist() in rounds.tokens[:, name].tolist() for name, row in enumerate(said))
    assert torch.equal(pixels, rounds[turns[0]][0])
    assert not torch.equal(pixels, rounds[turns[1]][0])


def test_wrong_captions_are_as_many_as_asked_for_and_of_the_same_classes() -> None:
    labels = torch.arange(4000) % 50
    plain = Pictures(torch.zeros(4000, 1), labels, tuple(str(i) for i in range(50)))
    wrong = miscaptioned(plain, 0.2, seed=1).labels != labels
    assert 0.16 < float(wrong.float().mean()) < 0.22  # some are exchanged for their own


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=8).filter(lambda x: max(x) - min(x) > 0.1))
def test_the_interval_is_that_of_students_test(differences: list[float]) -> None:
    wanted = ttest_1samp(differences, 0).confidence_interval(0.95)
    assert interval(differences) == pytest.approx((wanted.low, wanted.high), abs=1e-6)


def test_a_difference_is_bold_only_where_its_interval_excludes_zero() -> None:
    def seed(clear: float, unclear: float) -> dict[str, Part]:
        rows = {"clear": [0.0, 10.0, 10.0 + clear], "unclear": [5.0, 5.0, 5.0 + unclear]}
        return {part: {r: v[-len(c) :] for r, v in rows.items()} for part, c in COLUMNS.items()}

    lines = tables([seed(1.0, -1.0), seed(1.1, 2.0), seed(1.2, 0.5)]).splitlines()
    assert "| clear | 0 | 10 | 11.1 | **+1.10 (+0.85 to +1.35)** |" in lines
    assert "| unclear | 5 | 5 | 5.5 | +0.50 (-3.23 to +4.23) |" in lines
