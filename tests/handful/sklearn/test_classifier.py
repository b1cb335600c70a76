"""`HandfulClassifier` and `HandfulEmbedder`: images in scikit-learn's pipelines and searches."""

from __future__ import annotations

import copy
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
from handful.sklearn.shared_backbones import _loaded
from service.name_validation import NOT_THESE
from tests.handful.sklearn.samples import coloured
from tests.service.pictures import TEXTURES, patches
from tests.tiny_vit import write_tiny_vit


@pytest.fixture(scope="module")
def fitted(tiny_vit: str) -> HandfulClassifier:
    return HandfulClassifier(tiny_vit).fit(*coloured(4))


def test_by_default_it_answers_as_the_python_api_does_on_the_same_images(
    backbone: handful.Backbone,
) -> None:
    images = [image for texture in TEXTURES[::-1] for image in patches(texture)[:3]]
    labels = [texture for texture in TEXTURES[::-1] for _ in range(3)]
    asked = [patches(texture)[8] for texture in TEXTURES]
    mine = HandfulClassifier().fit(images, labels)
    theirs = handful.Classifier(backbone).fit(images, labels)
    assert mine.classes_.tolist() == sorted(TEXTURES)
    assert theirs.classes_ == list(TEXTURES[::-1])
    columns = [theirs.classes_.index(label) for label in mine.classes_]
    np.testing.assert_allclose(
        mine.predict_proba(asked), theirs.predict_proba(asked)[:, columns], atol=1e-5
    )
    assert mine.predict(asked).tolist() == list(TEXTURES)


def test_it_says_what_is_known_and_how_probable_as_the_python_api_does(
    tiny_vit: str, fitted: HandfulClassifier
) -> None:
    images, labels = coloured(4)
    asked, truth = coloured(6, seed=1)
    theirs = handful.Classifier(handful.load_backbone(tiny_vit)).fit(list(images), labels)
    columns = [theirs.classes_.index(label) for label in fitted.classes_]
    assert (fitted.predict_proba(asked) == theirs.predict_proba(list(asked))[:, columns]).all()
    known = [answer.known for answer in theirs.explain(list(asked))]
    assert fitted.is_known(asked).tolist() == known
    logits = fitted.decision_function(asked)
    np.testing.assert_allclose(np.exp(logits), fitted.predict_proba(asked), rtol=1e-5)
    assert fitted.score(asked, truth) == 1.0


def test_without_names_it_answers_as_a_head_on_embeddings(tiny_vit: str) -> None:
    asked, truth = coloured(6, seed=1)
    whole = HandfulClassifier(tiny_vit, names_carry_meaning=False).fit(*coloured(4))
    parts = make_pipeline(HandfulEmbedder(tiny_vit), HandfulHead()).fit(*coloured(4))
    np.testing.assert_allclose(whole.predict_proba(asked), parts.predict_proba(asked), atol=1e-5)
    assert parts.predict(asked).tolist() == truth


def test_images_come_as_lists_columns_and_arrays(fitted: HandfulClassifier, tmp_path: Path) -> None:
    array, _ = coloured(1)
    pictures = [PIL.Image.fromarray(one) for one in array]
    paths = [tmp_path / f"{i}.png" for i in range(len(array))]
    for picture, path in zip(pictures, paths, strict=True):
        picture.save(path)
    texts = list(map(str, paths))
    contents = [path.read_bytes() for path in paths]
    expected = fitted.predict_proba(array)
    forms = [
        *(paths, tuple(texts), np.array(texts), np.array(paths), np.array(texts)[:, None]),
        *(pictures, list(array), contents, np.array(contents, dtype=object)),
    ]
    for form in forms:
        np.testing.assert_allclose(fitted.predict_proba(form), expected, atol=1e-5)
    grey = fitted.predict_proba(array[..., 0])
    assert (grey == fitted.predict_proba(np.repeat(array[..., :1], 3, axis=3))).all()
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


def test_images_and_labels_that_cannot_be_used_are_named(
    tiny_vit: str, fitted: HandfulClassifier
) -> None:
    array, labels = coloured(1)
    images: list[Any] = list(array)
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
            HandfulClassifier(tiny_vit, **parameters).fit(X, y)
    with pytest.raises(handful.ImageError, match="image 0 is empty"):
        fitted.predict([b""])
    with pytest.raises(handful.BackboneError):
        HandfulClassifier("no such model").fit(images, labels)


def test_a_failed_fit_leaves_the_estimator_as_it_was(fitted: HandfulClassifier) -> None:
    images, labels = coloured(2)
    before = fitted.predict_proba(images)
    with pytest.raises(handful.ImageError):
        fitted.fit([*images[:-1], b"none"], ["new"] * len(labels))
    assert (fitted.predict_proba(images) == before).all()


def test_labels_of_numbers_have_no_meaning_and_come_back_as_numbers(tiny_vit: str) -> None:
    images, labels = coloured(3)
    numbers = np.array([{"ant": 10, "bee": 9, "cat": 11}[label] for label in labels])
    numbered = HandfulClassifier(tiny_vit).fit(images, numbers)
    assert numbered.classes_.tolist() == [9, 10, 11]
    assert not numbered.classifier_.settings.names_carry_meaning
    assert numbered.predict(images).tolist() == numbers.tolist()
    templates = ("a photo of {}",)
    named = HandfulClassifier(tiny_vit, method="zero-shot", templates=templates)
    settings = named.fit(images, labels).classifier_.settings
    assert (settings.templates, settings.names_carry_meaning) == (templates, True)


def test_negatives_are_no_class(tiny_vit: str) -> None:
    images, labels = coloured(4)
    negatives = [NOT_THESE if label == "bee" else label for label in labels]
    told = HandfulClassifier(tiny_vit).fit(images, negatives)
    assert told.classes_.tolist() == ["ant", "cat"]
    asked, truth = coloured(4, seed=1)
    bees = np.array(truth) == "bee"
    assert not told.is_known(asked)[bees].any()
    assert told.decision_function(asked).shape == (12,)
    assert told.predict(asked)[~bees].tolist() == [name for name in truth if name != "bee"]


def test_clones_share_one_backbone_and_nothing_else(fitted: HandfulClassifier) -> None:
    held = _loaded.cache_info().misses
    other = clone(fitted)
    assert other.get_params() == fitted.get_params()
    assert not hasattr(other, "classes_")
    other.set_params(method="krr++").fit(*coloured(2))
    assert other.classifier_.backbone is fitted.classifier_.backbone
    assert fitted.method == "auto"
    assert _loaded.cache_info().misses == held


def test_a_search_over_images_embeds_what_each_fold_learns_from_once(
    tiny_vit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    encoder = HandfulEmbedder(tiny_vit).loaded()
    encode = encoder.encode_images

    def counted(pixels: torch.Tensor) -> Any:
        passes.append(len(pixels))
        return encode(pixels)

    monkeypatch.setattr(encoder, "encode_images", counted)
    pipeline = make_pipeline(
        HandfulEmbedder(tiny_vit), HandfulHead(), memory=str(tmp_path / "memory")
    )
    grid = {"handfulhead__method": ["krr++", "gda++", "tip-adapter++", "auto"]}
    search = GridSearchCV(pipeline, grid, cv=2, refit=False).fit(*coloured(4))
    assert search.best_score_ > 0.8
    # What it is asked is embedded by each of the four.
    assert sum(passes) == 12 + 4 * 12


def test_it_is_cross_validated_and_other_classifiers_take_its_embeddings(tiny_vit: str) -> None:
    images, labels = coloured(4)
    classifier = HandfulClassifier(tiny_vit, method="krr++")
    assert cross_val_score(classifier, images, labels, cv=2).mean() > 0.8
    assert cross_val_score(classifier, list(images), labels, cv=2).mean() > 0.8
    embedder = HandfulEmbedder(tiny_vit, embedding="frozen")
    linear = make_pipeline(embedder, LogisticRegression(C=100)).fit(images, labels)
    assert linear.score(*coloured(4, seed=1)) > 0.8


def test_an_embedder_needs_no_fit_and_names_what_it_gives(backbone: handful.Backbone) -> None:
    images = [patches("brick")[0]]
    for embedder, width in (
        (HandfulEmbedder(), backbone.corrected_width),
        (HandfulEmbedder(embedding="frozen"), backbone.width),
    ):
        rows = embedder.transform(images)
        assert rows.shape == (1, width)
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
        names = embedder.get_feature_names_out()
        assert (names[0], len(names)) == ("handfulembedder0", width)
    with pytest.raises(ValueError, match="choose corrected or frozen"):
        HandfulEmbedder().set_params(embedding="both").transform(images)


def test_a_loaded_classifier_answers_bit_for_bit_as_the_saved_one(
    tiny_vit: str, tmp_path: Path
) -> None:
    asked, _ = coloured(4, seed=1)
    parameters: dict[str, Any] = {"templates": ("a {}",), "false_rejection_rate": 0.1}
    saved = HandfulClassifier(tiny_vit, device="cpu", **parameters).fit(*coloured(3))
    saved.save(tmp_path / "animals")
    loaded = HandfulClassifier.load(tmp_path / "animals")
    assert loaded.get_params() == saved.get_params() | {"device": None}
    for other in (loaded, pickle.loads(pickle.dumps(saved)), copy.deepcopy(saved)):
        assert other.classes_.tolist() == saved.classes_.tolist()
        assert (other.predict_proba(asked) == saved.predict_proba(asked)).all()
        mine = other.classifier_.explain(list(asked))
        assert mine == saved.classifier_.explain(list(asked))


def test_a_pickle_of_a_classifier_holds_plain_values_alone(fitted: HandfulClassifier) -> None:
    content = pickle.dumps(fitted)
    assert len(content) < 2**20  # no backbone
    assert b"torch" not in content
    assert b"adapters" not in content


def test_damaged_files_and_those_of_another_backbone_are_refused(
    fitted: HandfulClassifier, tmp_path: Path
) -> None:
    path = tmp_path / "animals"
    fitted.save(path)
    content = path.read_bytes()
    for damaged in (b"", content[:-1], content[: len(content) // 2], pickle.dumps(fitted)):
        path.write_bytes(damaged)
        with pytest.raises(handful.SavedClassifierError, match="cannot be read"):
            HandfulClassifier.load(path)
    saved = from_bytes(content, "the file")
    inner = saved.tensors["classifier"]
    other = f"local-dir:{write_tiny_vit(tmp_path, seed=1)}"
    for changes, message in (
        ({"parameters": {**saved.parameters, "backbone": other}}, "another backbone"),
        ({"parameters": {**saved.parameters, "more": 1}}, "another version"),
        ({"parameters": {**saved.parameters, "backbone": [1]}}, "its backbone is none"),
        ({"classes": np.array(["ant", "bee", "cow"])}, "its classes are others"),
        ({"classes": np.array(["ant", "bee"])}, "its classes are others"),
        ({"tensors": {}}, "holds no classifier"),
        ({"tensors": {"classifier": inner[:-9]}}, "cannot be read"),
        ({"tensors": {"classifier": torch.zeros(4, 4)}}, "cannot be read"),
    ):
        values = {name: getattr(saved, name) for name in SavedEstimator.__slots__}
        path.write_bytes(to_bytes(SavedEstimator(**{**values, **changes})))
        with pytest.raises(handful.SavedClassifierError, match=message):
            HandfulClassifier.load(path)
