"""`HandfulHead`: the heads of the service on embeddings, in scikit-learn's pipelines."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline

import handful
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads import HEADS
from handful.sklearn import HandfulClassifier, HandfulHead
from handful.sklearn.saved_file import SavedEstimator, from_bytes, to_bytes
from service.name_validation import NOT_THESE
from tests.handful.sklearn.samples import ANIMALS, blobs

METHODS = [name for name, head in HEADS.items() if not head.needs_names]


@pytest.mark.parametrize("method", METHODS)
def test_a_head_answers_as_the_classifier_of_the_service_without_names(method: str) -> None:
    X, y = blobs(5)
    asked, _ = blobs(4, seed=1)
    mine = HandfulHead(method).fit(X, y)
    rows, queries = (
        torch.from_numpy(some / np.linalg.norm(some, axis=1, keepdims=True)) for some in (X, asked)
    )
    support = SupportSet(
        torch.arange(len(y)),
        torch.from_numpy(np.searchsorted(ANIMALS, y)),
        ImageEmbeddings(rows, rows),
    )
    whole = FewShotClassifier(method).fit(ClassSet(torch.arange(3), None), support)
    answers = whole.answer(ImageEmbeddings(queries, queries), 0)
    np.testing.assert_allclose(mine.predict_proba(asked), answers.probabilities, atol=1e-5)
    assert mine.is_known(asked).tolist() == answers.known.tolist()
    assert mine.score(*blobs(20, seed=2)) > 0.9


def test_a_head_that_needs_names_and_one_that_does_not_exist_are_refused() -> None:
    for method in ("zero-shot", "svm"):
        with pytest.raises(ValueError, match="choose one of auto, tip-adapter"):
            HandfulHead(method).fit(*blobs(2))
    with pytest.raises(ValueError, match="false_rejection_rate"):
        HandfulHead(false_rejection_rate=1.0).fit(*blobs(2))


def test_the_order_of_the_support_set_does_not_matter() -> None:
    X, y = blobs(6)
    order = np.random.default_rng(3).permutation(len(y))
    asked, _ = blobs(4, seed=1)
    one, other = HandfulHead().fit(X, y), HandfulHead().fit(X[order], y[order])
    np.testing.assert_allclose(one.predict_proba(asked), other.predict_proba(asked), atol=1e-5)


def test_labels_of_numbers_come_back_as_numbers() -> None:
    X, y = blobs(4, classes=np.array([30, 10, 20], np.int16))
    fitted = HandfulHead().fit(X, y)
    assert fitted.classes_.tolist() == [10, 20, 30]
    assert fitted.predict(X).dtype == np.int16
    assert fitted.predict(X).tolist() == y.tolist()


def with_foxes(n: int, seed: int) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Four classes, of which foxes are half cats."""
    X, y = blobs(n, seed, np.array(["ant", "bee", "cat", "fox"]))
    X[y == "fox"] = 0.6 * X[y == "fox"] + 0.4 * X[y == "cat"]
    return X, y


def test_what_is_of_no_class_is_unknown_and_so_is_what_resembles_negatives() -> None:
    X, y = with_foxes(20, seed=0)
    asked, truth = with_foxes(30, seed=1)
    foxes = truth == "fox"
    without = HandfulHead().fit(X[y != "fox"], y[y != "fox"])
    assert without.is_known(asked[~foxes]).mean() > 0.85
    assert without.is_known(asked[foxes]).mean() < 0.5
    negatives = np.where(y == "fox", NOT_THESE, y)
    told = HandfulHead().fit(X, negatives)
    assert told.classes_.tolist() == ["ant", "bee", "cat"]
    gained = told.is_known(asked).astype(int) - without.is_known(asked)
    assert gained[~foxes].mean() > gained[foxes].mean()
    assert (told.is_known(asked) != without.is_known(asked)).any()
    for again in (pickle.loads(pickle.dumps(told)), saved_and_loaded(told)):
        assert (again.is_known(asked) == told.is_known(asked)).all()
        assert (again.decision_function(asked) == told.decision_function(asked)).all()
    with pytest.raises(ValueError, match="no class but 'not-these'"):
        HandfulHead().fit(X, np.full(len(X), NOT_THESE))


def saved_and_loaded(head: HandfulHead) -> HandfulHead:
    path = Path("head.safetensors").absolute()
    head.save(path)
    try:
        return HandfulHead.load(path)
    finally:
        path.unlink()


def test_one_sample_of_each_of_many_classes_is_no_regression() -> None:
    X, y = blobs(1, classes=np.arange(30))
    assert HandfulHead().fit(X, y).score(X, y) == 1.0
    with pytest.raises(ValueError, match="Unknown label type"):
        HandfulHead().fit(X, y + 0.5)


def test_one_sample_a_class_and_one_class_alone_are_enough() -> None:
    X, y = blobs(1)
    assert HandfulHead().fit(X, y).predict(X).tolist() == y.tolist()
    alone = HandfulHead().fit(X[:1], y[:1])
    assert alone.predict(X).tolist() == y[:1].tolist() * 3
    assert alone.predict_proba(X).tolist() == [[1.0]] * 3


def test_a_head_is_searched_calibrated_and_cross_validated_in_a_pipeline() -> None:
    X, y = blobs(8)
    pipeline = make_pipeline(PCA(12), HandfulHead())
    search = GridSearchCV(pipeline, {"handfulhead__method": ["krr++", "tip-adapter++"]}, cv=2)
    search.fit(X, y)
    assert search.best_score_ > 0.9
    best = search.best_estimator_[-1]
    assert clone(best).get_params() == best.get_params()
    assert not hasattr(clone(best), "classes_")
    assert cross_val_score(HandfulHead("gda++"), X, y, cv=3).mean() > 0.9
    calibrated = CalibratedClassifierCV(HandfulHead("krr++"), cv=2).fit(X, y)
    assert (calibrated.predict(X) == y).mean() > 0.9


@pytest.mark.long  # each process imports PyTorch
def test_fitted_heads_come_back_from_processes_of_joblib() -> None:
    X, y = blobs(4)
    there = cross_validate(HandfulHead("krr++"), X, y, cv=2, n_jobs=2, return_estimator=True)
    here = cross_validate(HandfulHead("krr++"), X, y, cv=2, return_estimator=True)
    for one, other in zip(there["estimator"], here["estimator"], strict=True):
        np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=1e-6)


def test_a_pickle_of_a_head_holds_plain_values_alone() -> None:
    content = pickle.dumps(HandfulHead().fit(*blobs(2)))
    assert b"torch" not in content
    assert b"adapters" not in content


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", METHODS)
def test_a_loaded_head_answers_bit_for_bit_as_the_saved_one(
    method: str, dtype: type, tmp_path: Path
) -> None:
    X, y = blobs(4)
    asked: NDArray[Any] = blobs(5, seed=1)[0].astype(dtype)
    saved = HandfulHead(method, false_rejection_rate=0.1).fit(X.astype(dtype), y)
    saved.save(tmp_path / "head.safetensors")
    loaded = HandfulHead.load(tmp_path / "head.safetensors")
    assert loaded.get_params() == saved.get_params()
    assert loaded.classes_.dtype == saved.classes_.dtype
    assert loaded.n_features_in_ == 24
    assert (loaded.decision_function(asked) == saved.decision_function(asked)).all()
    assert (loaded.is_known(asked) == saved.is_known(asked)).all()
    assert [path.name for path in tmp_path.iterdir()] == ["head.safetensors"]


@pytest.mark.parametrize(
    "labels",
    [[2, 0, 1], [2.0, 1.0, 0.0], [True, False, True], ["ä", "b", "c d"]],
    ids=["integers", "floats", "booleans", "strings"],
)
def test_labels_of_all_kinds_are_saved(labels: list[Any], tmp_path: Path) -> None:
    X, _ = blobs(1)
    y = np.array(labels)
    saved = HandfulHead().fit(X, y)
    saved.save(tmp_path / "head")
    loaded = HandfulHead.load(tmp_path / "head")
    assert loaded.classes_.tolist() == saved.classes_.tolist()
    assert loaded.predict(X).dtype.kind == y.dtype.kind
    of_objects = HandfulHead().fit(X, y.astype(object)) if y.dtype.kind == "U" else saved
    of_objects.save(tmp_path / "head")
    assert HandfulHead.load(tmp_path / "head").classes_.dtype == of_objects.classes_.dtype


def test_a_head_that_is_not_fitted_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not fitted"):
        HandfulHead().save(tmp_path / "head")
    assert not list(tmp_path.iterdir())
    assert pickle.loads(pickle.dumps(HandfulHead("krr++"))).method == "krr++"


def test_damaged_files_and_those_of_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "head"
    HandfulHead().fit(*blobs(2)).save(path)
    content = path.read_bytes()
    for damaged in (b"", content[:7], content[:-1], content[: len(content) // 2], b"\x80\x04}."):
        path.write_bytes(damaged)
        with pytest.raises(handful.SavedClassifierError, match=r"cannot be read|no estimator"):
            HandfulHead.load(path)
    for place in range(len(content) - 1, len(content) // 2, -997):
        flipped = bytearray(content)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(handful.SavedClassifierError, match=r"damaged|cannot be read"):
            HandfulHead.load(path)
    save_file({"labels": torch.zeros(1)}, path)
    with pytest.raises(handful.SavedClassifierError, match="no estimator of this version"):
        HandfulHead.load(path)
    path.write_bytes(content)
    with pytest.raises(handful.SavedClassifierError, match="holds a HandfulHead, not a Handful"):
        HandfulClassifier.load(path)
    with pytest.raises(FileNotFoundError):
        HandfulHead.load(tmp_path / "none")


def forged(path: Path, **changes: Any) -> None:
    """The file with other tensors, or another description, and a digest that is right."""
    saved = from_bytes(path.read_bytes(), "the file")
    values = {name: changes.pop(name, getattr(saved, name)) for name in SavedEstimator.__slots__}
    values["tensors"] = {**values["tensors"], **changes}
    path.write_bytes(to_bytes(SavedEstimator(**values)))


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": torch.tensor([0, 1, 2, 0, 1, 3])},
        {"labels": torch.tensor([0, 1, 1, 0, 1, 0])},
        {"labels": torch.tensor([0, 1, 2])},
        {"labels": torch.tensor([0.0, 1, 2, 0, 1, 2])},
        {"embeddings": torch.ones(6, 24)},
        {"embeddings": torch.full((6, 24), torch.nan)},
        {"embeddings": torch.zeros(6, 0)},
        {"embeddings": torch.zeros(6)},
        {"embeddings": torch.zeros(6, 24, dtype=torch.int64)},
        {"more": torch.zeros(1)},
        {"fitted": {}},
        {"fitted": {"tuning": {"head": "svm"}}},
        {"fitted": {"tuning": {"parameters": {"alpha": math.nan}}}},
        {"fitted": {"tuning": {"temperature": 0.0}}},
        {"fitted": {"tuning": {"temperature": []}}},
        {"parameters": {"method": "zero-shot"}},
        {"parameters": {"method": ["auto"]}},
        {"parameters": {"method": "krr++", "false_rejection_rate": "0"}},
        {"parameters": {"method": "krr++", "unknown": 1}},
    ],
    ids=str,
)
def test_a_forged_file_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "head"
    HandfulHead("krr++").fit(*blobs(2)).save(path)
    forged(path)
    HandfulHead.load(path)
    forged(path, **changes)
    with pytest.raises(handful.SavedClassifierError, match=r"damaged|another version"):
        HandfulHead.load(path)


def test_a_description_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "head"
    HandfulHead().fit(*blobs(2)).save(path)
    names = ["a" * 1001, "b", "c"]
    with pytest.raises(ValueError, match="at most 1000 characters"):
        forged(path, classes=np.array(names))
    tensors = load_file(path)
    assert set(tensors) == {"description", "embeddings", "labels", "sha256"}
