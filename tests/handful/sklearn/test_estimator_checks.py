"""scikit-learn's own checks: of heads on any numbers, of classifiers on numbers that are drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import SkipTestWarning
from sklearn.utils import Tags, estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from sklearn.utils.validation import validate_data

import handful
from handful.sklearn import HandfulClassifier, HandfulEmbedder, HandfulHead
from tests.handful.sklearn.samples import drawn

Check = Callable[[BaseEstimator], None]


@parametrize_with_checks([HandfulHead(), HandfulHead("tip-adapter++")])
def test_a_head_passes_every_check(estimator: BaseEstimator, check: Check) -> None:
    check(estimator)


class OfDrawnNumbers(HandfulClassifier):
    """A classifier of images whose samples are rows of numbers, each drawn as a picture."""

    def __init__(self, backbone: str = "", names_carry_meaning: bool = False) -> None:
        super().__init__(backbone, names_carry_meaning=names_carry_meaning, device="cpu")

    def fit(self, X: Any, y: Any) -> OfDrawnNumbers:
        X, _ = validate_data(self, X, y)
        super().fit(X, y)
        return self

    def _images(self, X: Any) -> list[handful.Image]:
        return list(drawn(validate_data(self, X, reset=False)))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.one_d_array = True, False
        return tags


CHECKS = {check.func.__name__: check for _, check in estimator_checks_generator(OfDrawnNumbers())}
"""By name: those that differ in how numbers lie in memory are one on pictures."""
ROUNDING = pytest.mark.xfail(
    reason="an encoder rounds to float32, and for a batch of another size in other places; "
    "the next test is of what is left"
)


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(
            check, id=name, marks=[ROUNDING] if name == "check_methods_subset_invariance" else []
        )
        for name, check in CHECKS.items()
    ],
)
def test_a_classifier_passes_every_check_on_pictures_of_numbers(
    tiny_vit: str, check: Check
) -> None:
    check(OfDrawnNumbers(tiny_vit))


def test_an_image_is_answered_the_same_alone_and_among_others_but_for_rounding(
    tiny_vit: str,
) -> None:
    random = np.random.default_rng(0)
    rows, labels = random.normal(size=(40, 3)), np.arange(40) % 3
    fitted = OfDrawnNumbers(tiny_vit).fit(rows, labels)
    alone = np.concatenate([fitted.predict_proba(row[None]) for row in rows])
    np.testing.assert_allclose(alone, fitted.predict_proba(rows), atol=1e-4)


@pytest.mark.parametrize("estimator", [HandfulClassifier(), HandfulEmbedder()], ids=repr)
@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_estimator_tags_renamed,
        estimator_checks.check_valid_tag_types,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
        estimator_checks.check_mixin_order,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
    ],
    ids=lambda check: check.__name__,
)
def test_what_takes_images_passes_the_checks_that_fit_nothing(
    estimator: BaseEstimator, check: Callable[[str, BaseEstimator], None]
) -> None:
    check(type(estimator).__name__, estimator)


def test_scikit_learn_has_no_further_checks_of_what_takes_no_numbers() -> None:
    with pytest.warns(SkipTestWarning, match="requires input"):
        checks = list(estimator_checks_generator(HandfulClassifier()))
    assert [check.func.__name__ for _, check in checks] == ["check_estimator_cloneable"]
