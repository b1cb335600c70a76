"""`HandfulClassifier` and `HandfulEmbedder`: images in scikit-learn's pipelines and searches."""

from __future__ import annotations

import copy
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

import handful
from handful.sklearn import HandfulClassifier, HandfulEmbedder, HandfulHead
from handful.sklearn.image_input import images_of
from handful.sklearn.saved_file import SavedEstimator, from_bytes, to_bytes
from handful.sklearn.shared_backbones import _loaded, shared_backbone
from service.name_validation import NOT_THESE
from tests.service.pictures import TEXTURES, patches
from tests.tiny_vit import write_tiny_vit

NAMES = TEXTURES[::-1]


def textures(first: int, last: int) -> tuple[list[bytes], list[str]]:
    """Images of three textures, the labels not in alphabetical order."""
    images = [image for texture in NAMES for image in patches(texture)[first:last]]
    return images, [texture for texture in NAMES for _ in range(last - first)]


def on_processor(**parameters: Any) -> HandfulClassifier:
    return HandfulClassifier(device="cpu", **parameters)


@pytest.fixture(scope="module")
def fitted() -> HandfulClassifier:
    return on_processor().fit(*textures(0, 4))


def test_it_answers_as_the_python_api_does_on_the_same_images(
    backbone: handful.Backbone, fitted: HandfulClassifier
) -> None:
    theirs = handful.Classifier(backbone).fit(*textures(0, 4))
    asked, truth = textures(8, 11)
    assert fitted.classes_.tolist() == sorted(TEXTURES)
    assert theirs.classes_ == list(NAMES)
    columns = [theirs.classes_.index(label) for label in fitted.classes_]
    assert (fitted.predict_proba(asked) == theirs.predict_proba(asked)[:, columns]).all()
    assert fitted.predict(asked).tolist() == theirs.predict(asked) == truth
    known = [answer.known for answer in theirs.explain(asked)]
    assert fitted.is_known(asked).tolist() == known
    assert fitted.score(asked, truth) == 1.0
    logits = fitted.decision_function(asked)
    np.testing.assert_allclose(np.exp(logits), fitted.predict_proba(asked), rtol=1e-5)


def test_without_names_it_answers_as_a_head_on_embeddings() -> None:
    asked, truth = textures(8, 11)
    whole = on_processor(names_carry_meaning=False).fit(*textures(0, 4))
    parts = make_pipeline(HandfulEmbedder(device="cpu"), HandfulHead()).fit(*textures(0, 4))
    np.testing.assert_allclose(whole.predict_proba(asked), parts.predict_proba(asked), atol=1e-5)
    assert parts.predict(asked).tolist() == truth


def test_images_come_as_lists_columns_and_arrays(
    fitted: HandfulClassifier, tmp_path: Path
) -> None:
    asked, _ = textures(8, 9)
    paths = []
    for i, content in enumerate(asked):
        paths.append(tmp_path / f"{i}.png")
        paths[-1].write_bytes(content)
    pictures = [PIL.Image.open(io.BytesIO(content)).convert("RGB") for content in asked]
    array = np.stack([np.asarray(picture) for picture in pictures])
    expected = fitted.predict_proba(asked)
    forms = [
        *(paths, tuple(map(str, paths)), np.array(list(map(str, paths))), np.array(paths)),
        *(np.array(list(map(str, paths)))[:, None], pictures, list(array), array),
        array[..., 0],
    ]
    for form in forms:
        np.testing.assert_allclose(fitted.predict_proba(form), expected, atol=1e-5)
    assert fitted.predict_proba([]).shape == (0, 3)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("one.jpg", TypeError, r"write \[image\]"),
        (b"one", TypeError, r"write \[image\]"),
        (7, TypeError, "sequence"),
        (None, TypeError, "sequence"),
        (np.zeros((2, 3)), ValueError, "Embeddings go to HandfulHead"),
        (np.zeros((2, 3), np.uint8), ValueError, "Embeddings go to HandfulHead"),
        (np.zeros((2, 4, 4, 3)), ValueError, "uint8 of shape"),
        (np.array([["a.png", "b.png"]]), ValueError, "expected images"),
    ],
)
def test_what_is_no_images_is_refused(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        images_of(given)


def test_images_and_labels_that_cannot_be_used_are_named(fitted: HandfulClassifier) -> None:
    images, labels = textures(0, 1)
    for parameters, X, y, message in (
        ({}, [*images[:2], b"none"], labels, "image 2 is not an image"),
        ({}, images, labels[:2], "inconsistent numbers of samples"),
        ({}, images, None, "requires y"),
        ({}, [], [], "0 samples"),
        ({}, images, [0.5, 1.5, 2.5], "Unknown label type"),
        ({}, images, ["a", "b", "c/d"], "'c/d' cannot be used"),
        ({}, images, ["a", "b", " c"], "spaces around"),
        ({}, images, [NOT_THESE] * 3, "no class but"),
        ({"method": "svm"}, images, labels, "unknown method"),
        ({"method": "zero-shot"}, images, [1, 2, 3], "by their names alone"),
        ({"templates": ("a photo",)}, images, labels, "templates"),
        ({"support_views": 0}, images, labels, "support_views"),
    ):
        with pytest.raises(ValueError, match=message):
            on_processor(**parameters).fit(X, y)
    with pytest.raises(handful.ImageError, match="image 0 is empty"):
        fitted.predict([b""])
    with pytest.raises(handful.BackboneError):
        HandfulClassifier("no such model").fit(images, labels)


def test_a_failed_fit_leaves_the_estimator_as_it_was(fitted: HandfulClassifier) -> None:
    images, labels = textures(0, 2)
    before = fitted.predict_proba(images)
    with pytest.raises(handful.ImageError):
        fitted.fit([*images[:-1], b"none"], ["new"] * len(labels))
    assert (fitted.predict_proba(images) == before).all()


def test_labels_of_numbers_have_no_meaning_and_come_back_as_numbers() -> None:
    images, labels = textures(0, 3)
    numbers = np.array([{"brick": 10, "grass": 9, "gravel": 11}[label] for label in labels])
    numbered = on_processor().fit(images, numbers)
    assert numbered.classes_.tolist() == [9, 10, 11]
    assert not numbered.classifier_.settings.names_carry_meaning
    assert numbered.predict(images).tolist() == numbers.tolist()
    named = on_processor(method="zero-shot", templates=("a photo of {}",)).fit(images, labels)
    assert named.classifier_.settings.templates == ("a photo of {}",)


def test_negatives_are_no_class() -> None:
    images, labels = textures(0, 4)
    told = on_processor().fit(images, np.where(np.array(labels) == "gravel", NOT_THESE, labels))
    assert told.classes_.tolist() == ["brick", "grass"]
    asked, truth = textures(8, 12)
    gravel = np.array(truth) == "gravel"
    assert not told.is_known(asked)[gravel].any()
    assert told.decision_function(asked).shape == (12,)
    assert told.predict(asked)[~gravel].tolist() == [name for name in truth if name != "gravel"]


def test_clones_share_one_backbone_and_nothing_else(fitted: HandfulClassifier) -> None:
    held = _loaded.cache_info().misses
    other = clone(fitted)
    assert other.get_params() == fitted.get_params()
    assert not hasattr(other, "classes_")
    other.set_params(method="krr++").fit(*textures(0, 2))
    assert other.classifier_.backbone is fitted.classifier_.backbone
    assert fitted.method == "auto"
    assert _loaded.cache_info().misses == held


def test_a_search_over_images_embeds_those_of_each_fold_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    encoder = shared_backbone("lite", None, None, "float32", "cpu")
    encode = encoder.encode_images

    def counted(pixels: torch.Tensor) -> Any:
        passes.append(len(pixels))
        return encode(pixels)

    monkeypatch.setattr(encoder, "encode_images", counted)
    images, labels = textures(0, 4)
    pipeline = make_pipeline(
        HandfulEmbedder(device="cpu"), HandfulHead(), memory=str(tmp_path / "memory")
    )
    grid = {"handfulhead__method": ["krr++", "gda++", "tip-adapter++", "auto"]}
    search = GridSearchCV(pipeline, grid, cv=2, refit=False).fit(images, labels)
    assert search.best_score_ > 0.8
    # Each fold trains on half of the images, which are kept, and is asked the others each time.
    assert sum(passes) == 12 + 4 * 12


def test_it_is_cross_validated_and_other_classifiers_take_its_embeddings() -> None:
    images, labels = textures(0, 4)
    assert cross_val_score(on_processor(method="krr++"), images, labels, cv=2).mean() > 0.8
    embedder = HandfulEmbedder(device="cpu", embedding="frozen")
    linear = make_pipeline(embedder, LogisticRegression(C=100)).fit(images, labels)
    assert linear.score(*textures(8, 10)) > 0.8


def test_an_embedder_needs_no_fit_and_names_what_it_gives() -> None:
    images, _ = textures(0, 1)
    encoder = shared_backbone("lite", None, None, "float32", "cpu")
    for embedding, width in (("corrected", encoder.corrected_width), ("frozen", encoder.width)):
        embedder = HandfulEmbedder(device="cpu", embedding=embedding)
        rows = embedder.transform(images)
        assert rows.shape == (3, width)
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
        names = embedder.get_feature_names_out()
        assert (names[0], len(names)) == ("handfulembedder0", width)
    with pytest.raises(ValueError, match="choose corrected or frozen"):
        HandfulEmbedder(embedding="both").transform(images)


def test_a_loaded_classifier_answers_bit_for_bit_as_the_saved_one(tmp_path: Path) -> None:
    asked, _ = textures(8, 11)
    parameters: dict[str, Any] = {"templates": ("a texture of {}",), "false_rejection_rate": 0.1}
    saved = on_processor(**parameters).fit(*textures(0, 3))
    saved.save(tmp_path / "textures")
    loaded = HandfulClassifier.load(tmp_path / "textures")
    assert loaded.get_params() == saved.get_params() | {"device": None}
    for other in (loaded, pickle.loads(pickle.dumps(saved)), copy.deepcopy(saved)):
        assert other.classes_.tolist() == saved.classes_.tolist()
        assert (other.predict_proba(asked) == saved.predict_proba(asked)).all()
        assert other.classifier_.explain(asked) == saved.classifier_.explain(asked)


def test_a_pickle_of_a_classifier_holds_plain_values_alone(fitted: HandfulClassifier) -> None:
    content = pickle.dumps(fitted)
    assert len(content) < 2**20  # no backbone
    assert b"torch" not in content
    assert b"adapters" not in content


def test_damaged_files_and_those_of_another_backbone_are_refused(
    fitted: HandfulClassifier, tmp_path: Path
) -> None:
    path = tmp_path / "textures"
    fitted.save(path)
    content = path.read_bytes()
    for damaged in (b"", content[:-1], content[: len(content) // 2], pickle.dumps(fitted)):
        path.write_bytes(damaged)
        with pytest.raises(handful.SavedClassifierError, match="cannot be read"):
            HandfulClassifier.load(path)
    saved = from_bytes(content, "the file")
    inner = saved.tensors["classifier"]
    other = f"local-dir:{write_tiny_vit(tmp_path)}"
    for changes, message in (
        ({"parameters": {**saved.parameters, "backbone": other}}, "another backbone"),
        ({"parameters": {**saved.parameters, "more": 1}}, "another version"),
        ({"classes": np.array(["brick", "grass", "sand"])}, "its classes are others"),
        ({"classes": np.array(["brick", "grass"])}, "its classes are others"),
        ({"tensors": {}}, "holds no classifier"),
        ({"tensors": {"classifier": inner[:-9]}}, "cannot be read"),
        ({"tensors": {"classifier": torch.zeros(4, 4)}}, "cannot be read"),
    ):
        values = {name: getattr(saved, name) for name in SavedEstimator.__slots__}
        path.write_bytes(to_bytes(SavedEstimator(**{**values, **changes})))
        with pytest.raises(handful.SavedClassifierError, match=message):
            HandfulClassifier.load(path)
