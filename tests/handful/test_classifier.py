"""The Python API: fit, predict, explain, save and load, without a service."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import skimage.data
import torch
from safetensors.torch import save_file

import handful
from tests.service.pictures import TEXTURES, patches
from tests.tiny_vit import write_tiny_vit


def support(shots: int) -> tuple[list[bytes], list[str]]:
    images = [image for texture in TEXTURES for image in patches(texture)[:shots]]
    return images, [texture for texture in TEXTURES for _ in range(shots)]


def queries() -> tuple[list[bytes], list[str]]:
    images = [image for texture in TEXTURES for image in patches(texture)[8:12]]
    return images, [texture for texture in TEXTURES for _ in range(4)]


@pytest.fixture(scope="module")
def fitted(backbone: handful.Backbone) -> handful.Classifier:
    return handful.Classifier(backbone).fit(*support(4))


def test_predict_names_new_images_of_the_classes(fitted: handful.Classifier) -> None:
    images, labels = queries()
    assert fitted.predict(images) == labels


def test_predict_proba_has_a_column_for_each_class(fitted: handful.Classifier) -> None:
    images, labels = queries()
    probabilities = fitted.predict_proba(images)
    assert fitted.classes_ == list(TEXTURES)
    assert probabilities.shape == (len(images), 3)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert [fitted.classes_[i] for i in probabilities.argmax(axis=1)] == labels


def test_suggest_asks_for_what_is_missing_and_for_no_copy(backbone: handful.Backbone) -> None:
    images, labels = support(2)
    two = handful.Classifier(backbone).fit(images[:4], labels[:4])  # no gravel
    pool = [images[0], *queries()[0], images[5]]
    before = two.predict_proba(pool)
    suggested = two.suggest(pool, 3)
    assert len(suggested) == 3
    assert suggested[0].index >= 9  # gravel
    assert 0 not in {one.index for one in suggested}
    gains = [one.gain for one in suggested]
    assert gains == sorted(gains, reverse=True)
    for one in suggested:
        assert one.nearest is not None
        assert one.nearest.label == labels[one.nearest.index]
    assert np.array_equal(before, two.predict_proba(pool))


def test_suggest_takes_labels_and_needs_no_support(backbone: handful.Backbone) -> None:
    pool, labels = queries()
    empty = handful.Classifier(backbone)
    suggested = empty.suggest(pool, 2, labels=labels)
    assert sorted(labels[one.index] for one in suggested[:3]) == sorted(TEXTURES)
    assert len({one.index for one in suggested}) == 6
    assert all(one.nearest is None for one in suggested)
    with pytest.raises(ValueError, match="12 images and 1 labels"):
        empty.suggest(pool, labels=["brick"])


def test_explain_names_the_support_images_that_an_answer_rests_on(
    fitted: handful.Classifier,
) -> None:
    images, labels = support(4)
    answer = fitted.explain([images[5]], evidence=2)[0]
    assert answer.label == labels[5]
    assert answer.known
    assert answer.p_value is None or answer.p_value > 0.05
    assert answer.prediction_set is None
    assert answer.evidence[0].index == 5
    assert answer.evidence[0].similarity == pytest.approx(1, abs=1e-4)
    assert len(answer.evidence) == 2
    assert next(iter(answer.probabilities)) == answer.label
    assert answer.probability == max(answer.probabilities.values())


def test_images_may_be_paths_bytes_pillow_images_or_arrays(
    fitted: handful.Classifier, tmp_path: Path
) -> None:
    content = patches("brick")[9]
    path = tmp_path / "query.png"
    path.write_bytes(content)
    picture = PIL.Image.open(io.BytesIO(content)).convert("RGB")
    forms: list[handful.Image] = [path, str(path), content, picture, np.asarray(picture)]
    rows = fitted.predict_proba(forms)
    np.testing.assert_allclose(rows, rows[:1].repeat(len(rows), axis=0), atol=1e-5)


def test_fit_folder_takes_the_classes_from_the_folders(
    backbone: handful.Backbone, fitted: handful.Classifier, tmp_path: Path
) -> None:
    for i, (image, label) in enumerate(zip(*support(4), strict=True)):
        (tmp_path / label).mkdir(exist_ok=True)
        (tmp_path / label / f"{i:02}.png").write_bytes(image)
    read = handful.Classifier(backbone).fit_folder(tmp_path)
    images, _ = queries()
    assert read.classes_ == fitted.classes_
    assert (read.predict_proba(images) == fitted.predict_proba(images)).all()


def test_add_gives_what_fitting_all_at_once_gives(
    backbone: handful.Backbone, fitted: handful.Classifier
) -> None:
    images, labels = support(4)
    grown = handful.Classifier(backbone).add(images[:6], labels[:6]).add(images[6:], labels[6:])
    asked, _ = queries()
    assert grown.classes_ == fitted.classes_
    assert np.allclose(grown.predict_proba(asked), fitted.predict_proba(asked), atol=1e-5)


def test_class_names_alone_are_known_zero_shot(backbone: handful.Backbone) -> None:
    named = handful.Classifier(backbone).fit([], [], class_names=["coffee", "cat"])
    cat = PIL.Image.fromarray(skimage.data.cat())
    assert named.classes_ == ["coffee", "cat"]
    assert named.predict([cat]) == ["cat"]
    assert named.explain([cat])[0].evidence == []


def test_a_loaded_classifier_answers_bit_for_bit_as_the_saved_one(
    backbone: handful.Backbone, tmp_path: Path
) -> None:
    settings = handful.ClassifierSettings(coverage=0.9, names_carry_meaning=False)
    saved = handful.Classifier(backbone, settings).fit(*support(3))
    saved.save(tmp_path / "textures.safetensors")
    images, _ = queries()
    for loaded in (
        handful.Classifier.load(tmp_path / "textures.safetensors", backbone),
        handful.Classifier.load(tmp_path / "textures.safetensors"),
    ):
        assert loaded.settings == settings
        assert loaded.explain(images) == saved.explain(images)
    assert [path.name for path in tmp_path.iterdir()] == ["textures.safetensors"]


def test_support_views_are_of_support_images_alone_however_they_are_given(
    backbone: handful.Backbone, tmp_path: Path
) -> None:
    settings = handful.ClassifierSettings(support_views=3)
    images, labels = support(2)
    paths = []
    for i, content in enumerate(images):
        paths.append(tmp_path / f"{i}.png")
        paths[-1].write_bytes(content)
    of_bytes = handful.Classifier(backbone, settings).fit(images, labels)
    at_once = of_bytes.explain(images, 1)
    one_by_one = handful.Classifier(backbone, settings).fit(paths[:3], labels[:3])
    one_by_one.add(paths[3:], labels[3:])
    for mine, theirs in zip(one_by_one.explain(images, 1), at_once, strict=True):
        assert mine.label == theirs.label
        assert mine.probability == pytest.approx(theirs.probability, abs=1e-4)
        # The query is the image, and its key the average of its views.
        assert mine.evidence[0].similarity == pytest.approx(theirs.evidence[0].similarity, abs=1e-4)
        assert mine.evidence[0].similarity < 0.999
    arrays = [np.asarray(PIL.Image.open(io.BytesIO(content)).convert("RGB")) for content in images]
    pictures = [PIL.Image.fromarray(array) for array in arrays]
    first, second = (
        handful.Classifier(backbone, settings).fit(given, labels) for given in (arrays, pictures)
    )
    assert first.explain(images) == second.explain(images)
    first.save(tmp_path / "views.zip")
    again = handful.Classifier.load(tmp_path / "views.zip", backbone)
    assert again.settings == settings
    assert again.explain(images) == first.explain(images)


@pytest.mark.long
def test_with_support_views_images_are_left_out_as_queries_until_they_are_forgotten(
    backbone: handful.Backbone, tmp_path: Path
) -> None:
    settings = handful.ClassifierSettings(support_views=3, method="gda++")
    images, labels = support(4)
    images, labels = [*images, *queries()[0][:1]], [*labels, "not-these"]
    at_once = handful.Classifier(backbone, settings).fit(images, labels)
    # A negative in the midst, so that rows are parted and joined again.
    order = [*range(5), 12, *range(5, 12)]
    images, labels = [images[i] for i in order], [labels[i] for i in order]
    by_and_by = handful.Classifier(backbone, settings).fit(images[:7], labels[:7])
    by_and_by.add(images[7:], labels[7:])
    asked = queries()[0]
    p_values = [one.p_value for one in at_once.explain(asked)]
    assert None not in p_values
    assert [one.p_value for one in by_and_by.explain(asked)] == pytest.approx(p_values, abs=1e-3)
    by_and_by.save(tmp_path / "views.zip")
    again = handful.Classifier.load(tmp_path / "views.zip", backbone)
    assert [one.p_value for one in again.explain(asked)] == pytest.approx(p_values, abs=1e-3)
    again.add(images[:1], labels[:1])
    assert {(one.known, one.p_value) for one in again.explain(asked)} == {(True, None)}


def test_load_refuses_the_embeddings_of_another_backbone(
    fitted: handful.Classifier, tmp_path: Path
) -> None:
    fitted.save(tmp_path / "textures.safetensors")
    other = handful.load_backbone(f"local-dir:{write_tiny_vit(tmp_path)}", device="cpu")
    with pytest.raises(handful.SavedClassifierError, match="another backbone"):
        handful.Classifier.load(tmp_path / "textures.safetensors", other)


def test_several_labels_an_image_are_left_to_a_service(backbone: handful.Backbone) -> None:
    with pytest.raises(ValueError, match="ask a service"):
        handful.Classifier(backbone, handful.ClassifierSettings(multi_label=True))


def test_load_refuses_files_that_are_no_classifiers(
    backbone: handful.Backbone, tmp_path: Path
) -> None:
    path = tmp_path / "none.safetensors"
    path.write_bytes(b"no tensors")
    with pytest.raises(handful.SavedClassifierError, match="cannot be read"):
        handful.Classifier.load(path, backbone)
    save_file({"frozen": torch.zeros(1)}, path)
    with pytest.raises(handful.SavedClassifierError, match="no classifier of this version"):
        handful.Classifier.load(path, backbone)
    save_file({"frozen": torch.zeros(1)}, path, {"handful": '{"format": "handful-classifier-1"}'})
    with pytest.raises(handful.SavedClassifierError, match="damaged"):
        handful.Classifier.load(path, backbone)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", r"image 0 is empty"),
        (b"no image", r"image 0 is not an image"),
        ("missing.png", r"missing.png cannot be read"),
        (np.zeros((2, 2, 4), np.uint8), r"shape \(2, 2, 4\)"),
        (np.zeros((2, 2, 3), np.float32), r"type float32"),
    ],
)
def test_an_image_that_cannot_be_read_is_named(
    fitted: handful.Classifier, image: Any, message: str
) -> None:
    with pytest.raises(handful.ImageError, match=message):
        fitted.predict([image])


def test_a_failed_add_changes_nothing(fitted: handful.Classifier) -> None:
    before = fitted.predict_proba([patches("gravel")[10]])
    with pytest.raises(handful.ImageError):
        fitted.add([patches("brick")[0], b"no image"], ["new", "new"])
    with pytest.raises(ValueError, match="1 images and 2 labels"):
        fitted.add([patches("brick")[0]], ["new", "new"])
    assert fitted.classes_ == list(TEXTURES)
    assert (fitted.predict_proba([patches("gravel")[10]]) == before).all()


def test_a_single_image_instead_of_a_sequence_is_a_type_error(fitted: handful.Classifier) -> None:
    with pytest.raises(TypeError, match=r"write \[image\]"):
        fitted.predict(patches("brick")[0])  # type: ignore[arg-type]


def test_predict_without_classes_says_what_to_do(backbone: handful.Backbone) -> None:
    with pytest.raises(handful.NotFittedError, match="call fit"):
        handful.Classifier(backbone).predict([patches("brick")[0]])
    empty = handful.Classifier(backbone, handful.ClassifierSettings(names_carry_meaning=False))
    with pytest.raises(handful.NotFittedError):
        empty.fit([], [], class_names=["brick"]).predict([patches("brick")[0]])


def test_public_names_are_those_of_all() -> None:
    assert set(handful.__all__) <= set(dir(handful))
    assert handful.__version__


def test_negatives_are_no_class_and_are_saved_along(
    backbone: handful.Backbone, tmp_path: Path
) -> None:
    images, labels = support(4)
    others = [picture for texture in TEXTURES[:1] for picture in patches(texture)[12:15]]
    known = [(image, label) for image, label in zip(images, labels, strict=True)]
    known = [one for one in known if one[1] != TEXTURES[0]]
    # Between the others: evidence is counted in the order in which images were given.
    given = [*known[:2], *((image, "not-these") for image in others), *known[2:]]
    classifier = handful.Classifier(backbone).fit(*map(list, zip(*given, strict=True)))
    assert set(classifier.classes_) == set(TEXTURES[1:])
    classifier.add([others[0]], ["not-these"])
    [answer] = classifier.explain([others[0]], evidence=9)
    assert not answer.known
    assert {answer.evidence[0].index, answer.evidence[1].index} == {2, len(given)}
    assert answer.evidence[0].label == "not-these"
    classifier.save(tmp_path / "classifier.zip")
    loaded = handful.Classifier.load(tmp_path / "classifier.zip", backbone)
    assert loaded.classes_ == classifier.classes_
    assert loaded.explain(images, evidence=9) == classifier.explain(images, evidence=9)
