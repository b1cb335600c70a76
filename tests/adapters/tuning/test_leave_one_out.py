"""Closed forms of leave-one-out, and the search on them, against refitting by brute force."""

from __future__ import annotations

import math
from dataclasses import replace

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.nn.functional import one_hot

from adapters.gaussians import SharedGaussians
from adapters.heads import HEADS, Head, Tuning
from adapters.heads.gda import DEFAULT_ALPHA as GDA_ALPHA
from adapters.heads.gda import GDA
from adapters.heads.term import DEFAULT_TEMPERATURE, TermParameters, zero_shot_logits
from adapters.heads.tip_adapter import DEFAULT_ALPHA, DEFAULT_BETA
from adapters.heads.tip_x import (
    DEFAULT_GAMMA,
    Rescaling,
    TipX,
    TipXPlusPlus,
    divergences,
    log_signatures,
)
from adapters.systematic_sampling import evenly
from adapters.tuning import cache_votes, search, votes
from adapters.tuning.cache_votes import (
    BETAS,
    MAX_EXPONENT,
    cache_terms,
    left_out_shots,
    left_out_votes,
    mean_shots,
)
from adapters.tuning.search import LOSS_TOLERANCE, WEIGHTS, Term, standardised
from adapters.tuning.temperature import calibrated_temperature, smoothed_loss
from adapters.tuning.votes import MAX_VOTES, Votes
from tests.adapters.synthetic import (
    TUNINGS,
    Task,
    fixed_head,
    generator,
    make_task,
    tuned,
)

some_shots = st.lists(st.integers(1, 5), min_size=1, max_size=4).filter(lambda s: max(s) > 1)
gappy_shots = st.lists(st.integers(0, 4), min_size=1, max_size=4).filter(lambda s: sum(s) > 1)
seeds = st.integers(0, 10_000)


def double_task(shots: list[int], seed: int = 0, *, names: bool = True) -> Task:
    return make_task(shots, seed, names=names, dtype=torch.float64)


def columns_and_votes(task: Task) -> tuple[Tensor, Votes]:
    columns = task.classes.columns(task.support.labels)
    return columns, Votes.of(columns, len(task.classes))


# Votes.


@given(shots=st.lists(st.integers(0, 6), min_size=1, max_size=5), singles=st.booleans())
def test_who_keeps_another_image_of_its_class_votes(shots: list[int], singles: bool) -> None:
    columns = torch.repeat_interleave(torch.arange(len(shots)), torch.tensor(shots))
    voters = Votes.of(columns, len(shots), singles=singles)
    least = 1 if singles else 2
    assert voters.rows.tolist() == [i for i, c in enumerate(columns.tolist()) if shots[c] >= least]
    assert torch.equal(voters.targets, columns[voters.rows])
    voting = [c for c, n in enumerate(shots) if n >= least]
    for c in voting:  # every class counts as much as every other
        share = float(voters.weights[voters.targets == c].sum())
        assert share == pytest.approx(1 / len(voting))


def test_accuracy_is_the_mean_recall_and_a_tie_is_a_miss() -> None:
    targets = torch.tensor([0, 0, 0, 1])
    voters = Votes(torch.arange(4), targets, Votes.class_weights(targets))
    logits = torch.tensor([[2.0, 1.0], [2.0, 1.0], [1.0, 1.0], [0.0, 3.0]])
    assert voters.accuracy(logits) == pytest.approx((2 / 3 + 1) / 2)


@given(n=st.integers(0, 5000), most=st.integers(2, 1200))
def test_rows_are_drawn_evenly_and_at_most_once(n: int, most: int) -> None:
    rows = evenly(n, most)
    assert len(rows) == min(n, most)
    if n > 1:
        gaps = rows.diff()
        assert (rows[0], rows[-1]) == (0, n - 1)
        even = (n - 1) / (len(rows) - 1)
        assert max(1, math.floor(even)) <= int(gaps.min()) <= int(gaps.max()) <= math.ceil(even)


def test_votes_are_bounded_and_all_classes_keep_some() -> None:
    columns = torch.arange(5000) % 7
    voters = Votes.of(columns, 7)
    assert len(voters) == MAX_VOTES
    assert torch.bincount(voters.targets).min() > 100


@pytest.mark.parametrize("method", sorted(HEADS))
def test_tuning_and_left_out_scores_work_beyond_the_limit_of_votes(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(votes, "MAX_VOTES", 10)
    task = make_task([10, 10, 10])
    tuning = HEADS[method]().tune(task.classes, task.support.labelled)
    assert tuning.votes == 10
    assert HEADS[method]().fit(task.classes, task.support, tuning).left_out(
        task.classes, task.support.labelled, tuning
    ).shape == (30, 3)


# Votes of a cache.


def brute_force_votes(keys: Tensor, columns: Tensor, n: int, beta: float, values: Tensor) -> Tensor:
    """Equation of the cache without image i: class means of votes."""
    rows = []
    for i in range(len(keys)):
        rest = torch.arange(len(keys)) != i
        vote = torch.exp(-beta * (1 - keys[rest] @ keys[i])) * values[rest]
        means = [
            vote[columns[rest] == c].sum() / max(int((columns[rest] == c).sum()), 1)
            for c in range(n)
        ]
        rows.append(torch.stack(means))
    return torch.stack(rows)


@settings(max_examples=25, deadline=None)
@given(
    shots=gappy_shots, seed=seeds, beta=st.sampled_from([1.0, 5.5, 64.0]), weighted=st.booleans()
)
def test_left_out_votes_are_those_of_the_other_keys(
    shots: list[int], seed: int, beta: float, weighted: bool
) -> None:
    task = double_task(shots, seed)
    columns, _ = columns_and_votes(task)
    keys = task.support.embeddings.corrected
    values = torch.rand(len(keys), generator=generator(seed)).double() + 0.5
    actual = left_out_votes(keys, columns, len(shots), beta, values if weighted else None)
    expected = brute_force_votes(
        keys, columns, len(shots), beta, values if weighted else torch.ones_like(values)
    )
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-14)


def test_left_out_votes_do_not_depend_on_the_blocks_of_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = double_task([4, 5, 3])
    columns, _ = columns_and_votes(task)
    keys = task.support.embeddings.corrected
    whole = left_out_votes(keys, columns, 3, 5.0)
    monkeypatch.setattr(cache_votes, "_CHUNK", 5)
    torch.testing.assert_close(left_out_votes(keys, columns, 3, 5.0), whole)


@settings(max_examples=25, deadline=None)
@given(shots=some_shots, seed=seeds, weighted=st.booleans())
def test_cache_terms_are_left_out_votes_at_each_beta(
    shots: list[int], seed: int, weighted: bool
) -> None:
    task = double_task(shots, seed)
    columns, voters = columns_and_votes(task)
    keys = task.support.embeddings.corrected
    values = torch.rand(len(keys), generator=generator(seed)).double() + 0.5
    values_or_none = values if weighted else None
    terms = list(cache_terms(keys, columns, voters, len(shots), values_or_none))
    assert [term.setting for term in terms] == list(BETAS[: len(terms)])
    for term in terms:
        beta = term.setting
        expected = left_out_votes(keys, columns, len(shots), beta, values_or_none)
        expected = mean_shots(columns, len(shots)) * expected
        torch.testing.assert_close(
            term.values / term.scale, expected[voters.rows], rtol=1e-9, atol=1e-300
        )


def test_a_typical_nearest_key_votes_with_one_at_every_beta() -> None:
    task = double_task([6, 6, 6])
    columns, voters = columns_and_votes(task)
    keys = task.support.embeddings.corrected
    distance = 1 - keys @ keys.T
    distance.fill_diagonal_(torch.inf)
    nearest = float(distance.amin(dim=1).median())
    terms = list(cache_terms(keys, columns, voters, 3))
    for term in terms:
        beta = term.setting
        assert term.scale == pytest.approx(math.exp(beta * nearest))
        assert beta * nearest <= MAX_EXPONENT
    assert len(terms) < len(BETAS)
    assert BETAS[len(terms)] * nearest > MAX_EXPONENT


def test_shots_are_counted_without_the_image_and_never_as_none() -> None:
    columns = torch.tensor([0, 0, 2, 0])
    left = left_out_shots(columns, 3, torch.tensor([0, 2]))
    assert left.tolist() == [[2, 1, 1], [3, 1, 1]]
    assert mean_shots(columns, 3) == 2.0
    assert mean_shots(torch.empty(0, dtype=torch.int64), 3) == 0.0


# Heads: left_out against heads that are refitted without each image.


def filled(term: Tensor, absent: Tensor, offset: float) -> Tensor:
    """One row, with the value of classes without images."""
    if not bool(absent.any()):
        return term
    return torch.where(absent, term[~absent].sum() / max(int((~absent).sum()), 1) + offset, term)


@settings(max_examples=25, deadline=None)
@given(
    shots=gappy_shots,
    seed=seeds,
    names=st.booleans(),
    name=st.sampled_from(["tip-adapter", "tip-adapter++"]),
)
def test_left_out_of_a_cache_is_a_head_without_the_image(
    shots: list[int], seed: int, names: bool, name: str
) -> None:
    task = make_task(shots, seed, names=names)
    _, tuning = TUNINGS[name]
    assert isinstance(tuning.parameters, TermParameters)
    tuning = replace(tuning, parameters=replace(tuning.parameters, absent=0.0))
    head = HEADS[TUNINGS[name][0]]().fit(task.classes, task.support, tuning)
    actual = head.left_out(task.classes, task.support.labelled, tuning)
    columns, n = task.classes.columns(task.support.labels), len(shots)
    for i in range(len(task.support)):
        rest = task.support.without(task.support.ids[i : i + 1])
        refitted = HEADS[TUNINGS[name][0]]().fit(task.classes, rest, tuning)
        scores = refitted.score(task.support.embeddings[i : i + 1])
        # The votes of a class are their mean times the mean shots, which one image less changes.
        strength = mean_shots(columns, n) / mean_shots(task.classes.columns(rest.labels), n)
        expected = scores.zero_shot + strength * scores.cache
        torch.testing.assert_close(actual[i], expected[0], rtol=1e-5, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(shots=gappy_shots, seed=seeds, corrected=st.booleans())
def test_left_out_of_tip_x_is_its_equation_without_the_image(
    shots: list[int], seed: int, corrected: bool
) -> None:
    task = double_task(shots, seed)
    name = "tip-x++" if corrected else "tip-x"
    parameters = TUNINGS[name][1].parameters.as_dict()
    actual = fixed_head(name, task.classes, task.support).left_out(
        task.classes, task.support.labelled, TUNINGS[name][1]
    )
    images, n = task.support.embeddings, len(shots)
    columns = task.classes.columns(task.support.labels)
    known = task.classes.with_images(task.support.labels)
    assert known.texts is not None
    keys = images.corrected if corrected else images.frozen
    log_s = log_signatures(images.frozen, known.texts)
    m = divergences(log_s, log_s)
    phi = Rescaling.of(m, keys @ keys.T)(m)
    cache = brute_force_votes(keys, columns, n, parameters["beta"], torch.ones(len(keys)).double())
    zero_shot = zero_shot_logits(images.frozen, task.classes, 100.0)
    for i in range(len(keys)):
        rest = torch.arange(len(keys)) != i
        of_class = [(columns == c) & rest for c in range(n)]
        absent = torch.tensor([not bool(rows.any()) for rows in of_class])
        means = [phi[i, rows].mean() if rows.any() else phi.new_tensor(0.0) for rows in of_class]
        term = parameters["alpha"] * cache[i] - parameters["gamma"] * torch.stack(means)
        term = mean_shots(columns, n) * term
        expected = zero_shot[i] + filled(term, absent, parameters.get("absent", 0.0))
        torch.testing.assert_close(actual[i], expected, rtol=1e-6, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(shots=gappy_shots, seed=seeds, name=st.sampled_from(["gda", "gda++"]))
def test_left_out_of_gda_is_that_of_its_gaussians(shots: list[int], seed: int, name: str) -> None:
    # The Gaussians themselves are compared with refits in test_gaussians.py.
    task = double_task(shots, seed)
    method, tuning = TUNINGS[name]
    actual = HEADS[method]().left_out(task.classes, task.support.labelled, tuning)
    known = task.classes.with_images(task.support.labels)
    images = task.support.embeddings
    keys = images.frozen if name == "gda" else images.corrected
    scores = (
        SharedGaussians().fit(keys, known.columns(task.support.labels), len(known)).left_out()[0]
    )
    n, columns = len(shots), task.classes.columns(task.support.labels)
    present = torch.tensor(shots) > 0
    zero_shot = zero_shot_logits(images.frozen, task.classes, 100.0)
    for i in range(len(keys)):
        term = torch.zeros(n, dtype=torch.float64)
        term[present] = tuning.parameters.as_dict()["alpha"] * scores[i]
        absent = ~present
        absent[columns[i]] |= shots[columns[i]] == 1
        expected = zero_shot[i] + filled(
            term, absent, tuning.parameters.as_dict().get("absent", 0.0)
        )
        torch.testing.assert_close(actual[i], expected, rtol=1e-9, atol=1e-9)


def test_left_out_of_zero_shot_is_zero_shot() -> None:
    task = make_task([2, 0, 3])
    head = fixed_head("zero-shot", task.classes, task.support)
    left_out = head.left_out(task.classes, task.support.labelled, head.tuning_)
    torch.testing.assert_close(left_out, head.score(task.support.embeddings).logits)


@settings(max_examples=40, deadline=None)
@given(method=st.sampled_from(sorted(HEADS)), shots=gappy_shots, seed=seeds, names=st.booleans())
def test_a_tuning_reports_what_its_left_out_logits_say(
    method: str, shots: list[int], seed: int, names: bool
) -> None:
    task = double_task(shots, seed, names=names)
    known = task.classes.with_images(task.support.labels)
    head = HEADS[method]()
    tuning = head.tune(known, task.support.labelled)
    logits = head.left_out(known, task.support.labelled, tuning)
    voters = Votes.of(known.columns(task.support.labels), len(known), singles=method == "zero-shot")
    assert tuning.votes == len(voters)
    if len(voters):
        logits = logits[voters.rows]
        best = calibrated_temperature(logits, voters.targets, weights=voters.weights)
        assert tuning.accuracy == pytest.approx(voters.accuracy(logits), abs=1e-9)
        assert tuning.loss == pytest.approx(
            smoothed_loss(logits, voters.targets, best, voters.weights), abs=1e-3
        )


@settings(max_examples=15, deadline=None)
@given(method=st.sampled_from(sorted(HEADS)), seed=seeds)
def test_classes_without_images_leave_the_tuning_alone(method: str, seed: int) -> None:
    if method == "zero-shot":  # all names take part there: they are what is calibrated
        return
    task = double_task([3, 0, 4, 0, 1], seed)
    known = task.classes.with_images(task.support.labels)
    assert HEADS[method]().tune(task.classes, task.support.labelled) == HEADS[method]().tune(
        known, task.support.labelled
    )


@pytest.mark.parametrize("view", [TipX, TipXPlusPlus])
def test_left_out_signature_term_is_what_the_head_serves_but_for_the_image(
    view: type[TipX],
) -> None:
    """With many images of each class one image less changes little."""
    task = make_task([40, 40, 40])
    tuning = tuned("tip-x", alpha=0.0, beta=1.0, gamma=1.0)
    head = view().fit(task.classes, task.support, tuning)
    left_out = head.left_out(task.classes, task.support.labelled, tuning)
    served = head.score(task.support.embeddings).logits
    torch.testing.assert_close(left_out, served, rtol=0, atol=2.0)
    own = one_hot(task.classes.columns(task.support.labels), 3).bool()
    assert bool((left_out < served)[own].all())  # the divergence from oneself is missed
    torch.testing.assert_close(left_out[~own], served[~own], rtol=0, atol=1e-3)


# The search.


def random_problem(
    seed: int, n: int = 40, n_classes: int = 4
) -> tuple[Tensor, list[Term[int]], Votes]:
    rng = generator(seed)
    targets = torch.randint(0, n_classes, (n,), generator=rng)
    own = one_hot(targets, n_classes).double()
    base = torch.randn(n, n_classes, generator=rng).double() + 0.5 * own
    terms = [
        Term(k, torch.randn(n, n_classes, generator=rng).double() + k / 3 * own, 2.0 + k)
        for k in range(3)
    ]
    return base, terms, Votes(torch.arange(n), targets, Votes.class_weights(targets))


def brute_force_search(
    base: Tensor, terms: list[Term[int]], voters: Votes, trust: float, tolerance: float
) -> tuple[float, list[tuple[float, float, Term[int]]]]:
    """The best accuracy, and (loss, weight, term) of all settings near it, in order."""
    settings_ = [(trust * weight, term) for term in terms for weight in WEIGHTS]
    scored = [(voters.accuracy(base + w * term.values), w, term) for w, term in settings_]
    most = max(accuracy for accuracy, *_ in scored)
    best = []
    for accuracy, weight, term in scored:
        if accuracy >= most - tolerance - 1e-9:
            logits = base + weight * term.values
            t = calibrated_temperature(logits, voters.targets, weights=voters.weights)
            best.append((smoothed_loss(logits, voters.targets, t, voters.weights), weight, term))
    return most, best


@settings(max_examples=25, deadline=None)
@given(
    seed=seeds,
    trust=st.sampled_from([0.3, 1.0, 40.0]),
    n=st.integers(2, 40),
    tolerance=st.sampled_from([0.0, 0.02, 0.2]),
)
def test_the_best_setting_of_the_grid_is_found(
    seed: int, trust: float, n: int, tolerance: float
) -> None:
    base, terms, voters = random_problem(seed, n)
    found = search.search(base, terms, voters, trust, tolerance=tolerance)
    most, best = brute_force_search(base, terms, voters, trust, tolerance)
    assert voters.accuracy(base + found.values) >= most - tolerance - 1e-9
    lowest = min(loss for loss, *_ in best)
    # The first of those that are as low; the search calibrates a little less exactly.
    sure = next(i for i, (loss, *_) in enumerate(best) if loss <= lowest + 0.9 * LOSS_TOLERANCE)
    first = next(i for i, (loss, *_) in enumerate(best) if loss <= lowest + 1.5 * LOSS_TOLERANCE)
    chosen = [
        i
        for i, (_, weight, term) in enumerate(best)
        if term.setting == found.setting and weight * term.scale == pytest.approx(found.weight)
    ]
    assert len(chosen) == 1
    assert first <= chosen[0] <= sure
    torch.testing.assert_close(found.values, best[chosen[0]][1] * best[chosen[0]][2].values)


def test_a_tie_goes_to_the_lower_loss() -> None:
    targets = torch.tensor([0, 1] * 10)
    voters = Votes(torch.arange(20), targets, Votes.class_weights(targets))
    own = one_hot(targets, 2).double()
    # Both name all images, but one of them does it with the same margin everywhere.
    even, uneven = own, own * torch.linspace(0.01, 2, 20).double().unsqueeze(1)
    base = torch.zeros(20, 2).double()
    for terms in (
        [Term(0, uneven), Term(1, even)],
        [Term(1, even), Term(0, uneven)],
    ):
        assert search.search(base, terms, voters, 1.0).setting == 1


def test_settings_that_are_as_good_go_to_the_first() -> None:
    base, terms, voters = random_problem(1)
    twice = [Term(i, terms[1].values) for i in range(2)]
    assert search.search(base, twice, voters, 1.0).setting == 0


def test_every_class_counts_alike_whatever_its_number_of_images() -> None:
    # One term names the 18 images of a class, the other the 2 + 2 of the two others.
    targets = torch.tensor([0] * 18 + [1, 1, 2, 2])
    voters = Votes(torch.arange(22), targets, Votes.class_weights(targets))
    large, small = torch.zeros(22, 3).double(), torch.zeros(22, 3).double()
    large[:, 0] = 1.0
    small[:18, 1] = small[18:20, 1] = small[20:, 2] = 1.0
    found = search.search(
        torch.zeros(22, 3).double(), [Term(0, large), Term(1, small)], voters, 1.0
    )
    assert found.setting == 1


@settings(max_examples=20, deadline=None)
@given(seed=seeds, scale=st.sampled_from([0.01, 7.0, 1000.0]))
def test_the_search_does_not_depend_on_the_scale_of_the_base(seed: int, scale: float) -> None:
    base, terms, voters = random_problem(seed)
    plain = search.search(base, terms, voters, 1.0)
    scaled = search.search(scale * base, terms, voters, scale)
    assert scaled.setting == plain.setting
    assert scaled.weight == pytest.approx(scale * plain.weight)


def test_few_compared_rows_still_find_the_most_accurate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MAX_COMPARED", 1)
    base, terms, voters = random_problem(3, n=120)
    found = search.search(base, terms, voters, 1.0, tolerance=0.0)
    most, _ = brute_force_search(base, terms, voters, 1.0, 0.0)
    assert voters.accuracy(base + found.values) == pytest.approx(most, abs=1e-9)


def test_a_standardised_term_has_unit_spread_and_tells_its_scale() -> None:
    values = 30 + 5 * torch.randn(50, 4, generator=generator(0)).double()
    term = standardised(values)
    torch.testing.assert_close(term.values.mean(dim=1), torch.zeros(50).double())
    assert float(term.values.std()) == pytest.approx(1.0)
    expected = (values - values.mean(dim=1, keepdim=True)) * term.scale
    torch.testing.assert_close(term.values, expected)


def test_rounding_is_not_blown_up_to_a_term() -> None:
    one_class = standardised(torch.full((9, 1), 60.0))
    assert bool((one_class.values == 0).all())
    assert one_class.scale < 1e4
    rounding = 60 + 1e-6 * torch.randn(9, 3, generator=generator(0))
    assert float(standardised(rounding).values.abs().max()) < 0.1


# Tuning.


@pytest.mark.parametrize("method", ["tip-adapter", "tip-adapter++"])
def test_reported_accuracy_is_the_best_of_alphas_and_betas(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    betas = (1.0, 2.0, 4.0, 8.0)
    monkeypatch.setattr(cache_terms, "__defaults__", (None, betas))
    task = double_task([4, 4, 4, 3], seed=1)
    head = HEADS[method]()
    tuning = head.tune(task.classes, task.support.labelled)
    columns, voters = columns_and_votes(task)
    zero_shot = zero_shot_logits(task.support.embeddings.frozen, task.classes, 100.0)
    trust = calibrated_temperature(zero_shot, columns, weights=Votes.class_weights(columns))
    accuracies = []
    for term in cache_terms(head.keys(task.support.embeddings), columns, voters, 4):
        for weight in WEIGHTS:
            alpha = trust * weight * term.scale
            setting = tuned(method, alpha=alpha, beta=term.setting)
            logits = head.left_out(task.classes, task.support.labelled, setting)
            accuracies.append(voters.accuracy(logits[voters.rows]))
    assert len(accuracies) == len(betas) * len(WEIGHTS)
    assert tuning.accuracy == pytest.approx(max(accuracies), abs=1e-9)
    assert max(accuracies) > min(accuracies)


@pytest.mark.parametrize("method", sorted(HEADS))
@pytest.mark.parametrize("scale", [1.0, 14.0, 1000.0])
def test_the_choice_does_not_depend_on_the_logit_scale(method: str, scale: float) -> None:
    task = double_task([4, 3, 4, 5], seed=4)
    plain = HEADS[method](100.0).fit(task.classes, task.support)
    scaled = HEADS[method](scale).fit(task.classes, task.support)
    assert scaled.tuning_.accuracy == pytest.approx(plain.tuning_.accuracy, abs=1e-9)
    assert scaled.tuning_.head == plain.tuning_.head
    for name in ("beta", "share"):
        assert scaled.tuning_.parameters.as_dict().get(
            name
        ) == plain.tuning_.parameters.as_dict().get(name)
    assert scaled.tuning_.temperature == pytest.approx(
        scale / 100 * plain.tuning_.temperature, rel=0.01
    )
    torch.testing.assert_close(
        scaled.probabilities(scaled.score(task.queries).logits),
        plain.probabilities(plain.score(task.queries).logits),
        rtol=0,
        atol=0.01,
    )


def one_shot(method: str) -> tuple[Task, float, Tuning]:
    task = double_task([1, 1, 1])
    columns = task.classes.columns(task.support.labels)
    zero_shot = zero_shot_logits(task.support.embeddings.frozen, task.classes, 100.0)
    trust = calibrated_temperature(zero_shot, columns, weights=Votes.class_weights(columns))
    return task, trust, HEADS[method]().tune(task.classes, task.support.labelled)


@pytest.mark.parametrize(
    ("method", "defaults"),
    [
        ("tip-adapter++", {"alpha": DEFAULT_ALPHA, "beta": DEFAULT_BETA}),
        ("tip-x", {"alpha": DEFAULT_ALPHA, "beta": DEFAULT_BETA, "gamma": DEFAULT_GAMMA}),
        ("ape++", {"alpha": DEFAULT_ALPHA, "beta": DEFAULT_BETA, "gamma": 0.0, "share": 1.0}),
        ("gda", {"alpha": GDA_ALPHA}),
    ],
)
def test_single_shots_fall_back_to_the_defaults(method: str, defaults: dict[str, float]) -> None:
    _, trust, tuning = one_shot(method)
    assert tuning.votes == 0
    assert tuning.accuracy is None
    assert tuning.loss is None
    assert tuning.temperature == DEFAULT_TEMPERATURE * trust
    in_trust = {"alpha", "gamma"} if method != "ape++" else {"alpha"}
    expected = {k: v * trust if k in in_trust else v for k, v in defaults.items()}
    parameters = tuning.parameters.as_dict()
    assert math.isfinite(parameters.pop("absent"))
    assert parameters == expected


@pytest.mark.parametrize("method", ["tip-adapter++", "tip-x", "tip-x++", "ape", "gda", "auto"])
def test_meaningless_names_are_outvoted(method: str) -> None:
    task = make_task([8] * 5, seed=1, queries=20, spread=0.7)
    names = make_task([8] * 5, seed=99)
    classes = replace(task.classes, texts=names.classes.texts)
    zero_shot = zero_shot_logits(task.queries.frozen, classes, 100.0)
    assert (zero_shot.argmax(dim=1) == task.truth).double().mean() < 0.5
    head: Head = HEADS[method]().fit(classes, task.support)
    assert head.tuning_.accuracy is not None
    assert head.tuning_.accuracy > 0.8
    logits = head.score(task.queries).logits
    assert (logits.argmax(dim=1) == task.truth).double().mean() > 0.8


def test_gda_serves_with_the_noise_of_means_that_it_was_tuned_with() -> None:
    task = double_task([2, 5, 3])
    head = GDA().fit(task.classes, task.support)
    gaussians = SharedGaussians().fit(
        task.support.embeddings.frozen, task.classes.columns(task.support.labels), 3
    )
    published = tuned("gda", alpha=head.parameters_.alpha)
    plain = GDA().fit(task.classes, task.support, published)
    apart = head.score(task.queries).cache - plain.score(task.queries).cache
    expected = head.parameters_.alpha * gaussians.spread_ / (2 * gaussians.shots_)
    torch.testing.assert_close(apart, expected.expand_as(apart), rtol=1e-9, atol=1e-9)
