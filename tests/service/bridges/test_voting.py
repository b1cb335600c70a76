"""When attempts agree: whatever they say, nobody is named that few of them saw."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bridges.frigate.voting import Answer, VotingRule

LABELS = st.sampled_from(["ann", "bob", "cat"])
ANSWERS = st.lists(
    st.none() | st.builds(Answer, LABELS, st.floats(0, 1, allow_subnormal=False)), max_size=16
)
RULES = st.builds(VotingRule, st.integers(1, 16), st.integers(1, 20).map(lambda n: n / 20))


def votes(text: str) -> list[Answer | None]:
    """``aab-`` for two times ann, bob, and one that is not known."""
    names = {"a": "ann", "b": "bob", "c": "cat"}
    return [Answer(names[one], 0.5) if one in names else None for one in text]


@pytest.mark.parametrize(
    ("made", "label"),
    [
        ("aa", None),
        ("aaa", "ann"),
        ("aab", "ann"),  # 67 %
        ("aabb", None),  # 50 %
        ("aaabb", "ann"),  # 60 %, as it is written
        ("a--", None),
        ("---", None),
        ("aa-", "ann"),
        ("aaa---", None),
        ("abbbbb", "bob"),
    ],
)
def test_three_attempts_of_which_60_percent_agree(made: str, label: str | None) -> None:
    agreed = VotingRule().agreed(votes(made))
    assert (agreed.label if agreed else None) == label


@given(RULES, ANSWERS)
def test_who_is_named_has_the_share_that_was_asked_for(
    rule: VotingRule, answers: list[Answer | None]
) -> None:
    agreed = rule.agreed(answers)
    if agreed is None:
        return
    its = [one.probability for one in answers if one is not None and one.label == agreed.label]
    others = [one.label for one in answers if one is not None and one.label != agreed.label]
    assert len(answers) >= rule.attempts
    assert len(its) / len(answers) >= rule.agreement
    assert all(others.count(label) < len(its) for label in others)
    assert min(its) - 1e-9 <= agreed.probability <= max(its) + 1e-9


@given(RULES, ANSWERS, st.randoms())
def test_the_order_of_attempts_does_not_matter(
    rule: VotingRule, answers: list[Answer | None], random: object
) -> None:
    turned = list(answers)
    random.shuffle(turned)  # type: ignore[attr-defined]
    first, second = rule.agreed(answers), rule.agreed(turned)
    assert (first and first.label) == (second and second.label)


@given(RULES, ANSWERS, st.integers(1, 5))
def test_strangers_only_make_it_harder(
    rule: VotingRule, answers: list[Answer | None], strangers: int
) -> None:
    enough = len(answers) >= rule.attempts
    after = rule.agreed([*answers, *[None] * strangers])
    if enough and after is not None:
        before = rule.agreed(answers)
        assert before is not None
        assert before.label == after.label


@given(ANSWERS)
def test_it_is_what_frigate_does_with_three_attempts_and_60_percent(
    answers: list[Answer | None],
) -> None:
    """``get_weighted_score`` of its source: counts against ``total * 0.6``; "none" is no answer."""
    labels = [one.label if one is not None else "none" for one in answers]
    expected = None
    if len(labels) >= 3:
        best = max(dict.fromkeys(labels), key=labels.count)
        if labels.count(best) >= len(labels) * 0.6 - 1e-9 and best != "none":
            expected = best
    agreed = VotingRule().agreed(answers)
    assert (agreed.label if agreed else None) == expected
