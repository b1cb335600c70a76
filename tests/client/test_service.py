"""The client against a real service: every call."""

from __future__ import annotations

from pathlib import Path

import handful_client._sync.client
import numpy as np
import pytest
from handful_client import (
    Classifier,
    Client,
    Conflict,
    Embedding,
    ImageEmbedding,
    ImageLike,
    ImageReference,
    Invalid,
    InvalidImage,
    NotFound,
    PreconditionFailed,
    Settings,
)
from handful_client.models import Annotations
from PIL import Image

from tests.client.coloured import coloured


def test_one_line_registers_and_predicts(classifier: Classifier, tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for i, path in enumerate(paths):
        path.write_bytes(coloured("red", i))
    blue = [coloured("blue", i) for i in range(3)]
    answer = classifier.add("red", paths).add("blue", blue).predict(coloured("red", 9))
    assert answer.label == "red"
    assert [one.label for one in answer.top_k] == ["red", "blue"]


def test_an_image_is_the_same_however_it_is_given(classifier: Classifier, tmp_path: Path) -> None:
    classifier.add("red", coloured("red", 0)).add("blue", coloured("blue", 0))
    path = tmp_path / "query.png"
    path.write_bytes(coloured("red", 5))
    picture = Image.open(path).convert("RGB")
    asked: list[ImageLike] = [path, str(path), path.read_bytes(), picture, np.asarray(picture)]
    with path.open("rb") as file:
        answers = [classifier.predict(one) for one in [*asked, file]]
    assert all(answer == answers[0] for answer in answers)


def test_classes_images_and_files(classifier: Classifier, tmp_path: Path) -> None:
    made = classifier.put(Settings(method="gda++", coverage=0.8))
    assert (made.method, made.coverage, made.n_classes) == ("gda++", 0.8, 0)
    told = classifier.register("red", [coloured("red", 0), coloured("red", 1)], predict=True)
    assert (told.created, told.duplicates, told.images[0].before) == (2, 0, None)
    assert told.images[0].after is not None
    assert classifier.get().coverage == 0.8  # not created anew
    again = classifier.register("red", coloured("red", 1), wait_tuned=True)
    assert (again.created, again.duplicates) == (0, 1)
    assert classifier.put_class("Ö, 50 % off?").n_images == 0
    assert {one.label: one.n_images for one in classifier.classes()} == {
        "red": 2,
        "Ö, 50 % off?": 0,
    }
    images = classifier.get_class("red").images
    assert classifier.image("red", images[0].id) == coloured("red", 0)
    assert classifier.thumbnail(images[0].id).startswith(b"\xff\xd8\xff")
    classifier.delete_image("red", images[0].id)
    classifier.delete_class("Ö, 50 % off?")
    assert [(one.label, one.n_images) for one in classifier.classes()] == [("red", 1)]
    exported = classifier.export(tmp_path / "c.zip")
    assert classifier.export_index(tmp_path / "index.zip").read_bytes().startswith(b"PK")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.zip", "index.zip"]
    classifier.delete()
    with pytest.raises(NotFound, match=classifier.name) as raised:
        classifier.get()
    assert raised.value.type == "classifier-not-found"
    assert classifier.import_file(exported).n_images == 1
    with pytest.raises(NotFound):
        classifier.image("red", "0" * 32)


def test_of_two_who_saw_the_same_one_changes_it(classifier: Classifier) -> None:
    classifier.if_absent().add("red", [coloured("red", i) for i in range(3)])
    with pytest.raises(PreconditionFailed):
        classifier.if_absent().put()
    tag = classifier.tag()
    mine, theirs = classifier.if_match(tag), classifier.if_match(tag)
    mine.put_class("blue")
    for change in (
        lambda: theirs.put_class("green"),
        lambda: theirs.delete_class("red"),
        lambda: theirs.add("red", coloured("red", 9)),
        theirs.put,
        theirs.delete,
    ):
        with pytest.raises(PreconditionFailed) as refused:
            change()
        assert refused.value.type == "precondition-failed"
    assert [(one.label, one.n_images) for one in classifier.classes()] == [("red", 3), ("blue", 0)]
    classifier.if_match("*").delete_class("red")


def test_classifiers_and_classes_are_put_into_another_order(classifier: Classifier) -> None:
    for colour in ("red", "blue"):
        classifier.add(colour, [coloured(colour, i) for i in range(3)])
    copy = classifier.copy(f"{classifier.name}-copy").rename(f"{classifier.name}-renamed")
    copy.rename_class("red", "warm")
    reds = [one.id for one in copy.get_class("warm").images]
    assert copy.move_images(reds[:1], "odd").added == 1
    assert copy.delete_images(reds[1:2]) == 1
    copy.annotate(Annotations(notes="of two", metadata={"team": "maps"}))
    copy.annotate(Annotations(notes="of the sky"), "blue")
    copy.annotate(Annotations(metadata={"camera": "1"}), "warm", reds[2])
    assert copy.annotations().metadata == {"team": "maps"}
    assert copy.annotations("blue").notes == "of the sky"
    assert copy.annotations("warm", reds[2]).metadata == {"camera": "1"}
    assert copy.merge_classes("warm", ["odd"]).added == 1
    sizes = {one.label: one.n_images for one in copy.classes()}
    assert sizes == {"warm": 2, "blue": 3}
    assert copy.merge(classifier.name).duplicates == 3
    assert {one.label: one.n_images for one in classifier.classes()} == {"red": 3, "blue": 3}
    tag = copy.tag()
    copy.delete_class("warm")
    for change in (
        lambda: copy.if_match(tag).rename("other"),
        lambda: copy.if_match(tag).copy("b"),
    ):
        with pytest.raises(PreconditionFailed):
            change()
    with pytest.raises(TypeError, match="give the label, too"):
        copy.annotations(image_id=reds[0])


def test_a_change_is_undone(classifier: Classifier) -> None:
    classifier.add("red", coloured("red", 0)).add("blue", coloured("blue", 0))
    before = next(iter(classifier.history())).revision
    classifier.delete_class("red")
    last = next(iter(classifier.history()))
    assert (last.classes_removed, last.images_removed) == (["red"], 1)
    assert classifier.revert(before).n_images == 2
    assert {one.label for one in classifier.classes()} == {"red", "blue"}
    assert len(list(classifier.history())) >= 4
    classifier.forget_history()


def test_classifiers_are_listed_page_by_page(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"listed-{i}" for i in range(5)]
    for name in names:
        client.classifier(name).put()
    monkeypatch.setattr(handful_client._sync.client, "_PAGE", 2)
    assert [one.name for one in client.classifiers(prefix="listed-")] == names
    backwards = client.classifiers(prefix="listed-", descending=True, problem=False)
    assert [one.name for one in backwards] == names[::-1]
    client.classifier(names[3]).annotate(Annotations(metadata={"team": "a", "of": "b"}))
    assert [*client.classifiers(prefix="listed-", metadata={"team": "b", "of": "b"})] == []
    [found] = client.classifiers(prefix="listed-", metadata={"team": "a", "of": "b"})
    assert found.name == names[3]


def test_reports_and_advice(classifier: Classifier) -> None:
    for colour in ("red", "blue"):
        classifier.add(colour, [coloured(colour, i) for i in range(4)])
    assert classifier.report().n_images == 8
    assert len(list(classifier.confused("red", "red"))) == 4
    assert b"<html" in classifier.report_file()
    assert classifier.report_file("png").startswith(b"\x89PNG")
    assert b"<svg" in classifier.report_file("svg")
    assert classifier.advice().classes
    assert {one.label for one in classifier.map().points} == {"red", "blue"}


def test_suggestions(classifier: Classifier, tmp_path: Path) -> None:
    classifier.add("red", coloured("red", 0)).add("blue", coloured("blue", 0))
    pool = {
        f"{colour}/{i}.png": coloured(colour, 10 + i) for colour in ("red", "blue") for i in (1, 2)
    }
    for name, content in pool.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    told = classifier.suggest([tmp_path / name for name in pool], n=2)
    assert (told.labelled, told.n_images) == (False, 4)
    told = classifier.suggest_folder(tmp_path, n=1)
    assert (told.labelled, told.n_images) == (True, 4)


def test_images_that_the_service_knows_are_asked_about_by_their_ids(
    client: Client, classifier: Classifier
) -> None:
    classifier.add("red", [coloured("red", 0), coloured("red", 1)]).add("blue", coloured("blue", 0))
    ids = [one.id for one in classifier.get_class("red").images]
    known = [ImageReference(image_id=one) for one in ids]
    assert classifier.predict(known[0]).evidence[0].image_id == ids[0]
    mixed: list[ImageLike] = [known[0], coloured("blue", 5), known[1]]
    assert [one.label for one in classifier.predict_many(mixed)] == ["red", "blue", "red"]

    other = client.classifier(f"{classifier.name}-other")
    theirs = [ImageReference(image_id=one, classifier=classifier.name) for one in ids]
    told = other.register_labelled([("warm", theirs[0]), ("cold", coloured("blue", 6))])
    assert [one.label for one in told.images] == ["warm", "cold"]
    assert other.register("warm", theirs).duplicates == 1
    with pytest.raises(NotFound):
        classifier.predict(ImageReference(image_id="0" * 32))


def test_embeddings_stand_for_their_images(client: Client, classifier: Classifier) -> None:
    asked = [coloured(("red", "blue")[i % 2], 50 + i) for i in range(70)]
    told = client.embed(asked)
    assert len(told.embeddings) == 70
    assert client.embed(asked[69]).embeddings[0].frozen == pytest.approx(told.embeddings[69].frozen)
    [packed] = client.embed(asked[0], encoding="base64").embeddings
    known = [
        ImageEmbedding(
            embedding=Embedding.model_validate(one.model_dump()), fingerprint=told.fingerprint
        )
        for one in (*told.embeddings[1:3], packed)
    ]
    classifier.register("red", known[1])
    classifier.register("blue", known[0])
    assert classifier.predict(known[2]).label == "red"
    assert [one.label for one in classifier.similar(asked[5])] == ["blue", "red"]
    assert [one.label for one in classifier.similar(known[2], n=1)] == ["red"]


def test_texts_find_images(client: Client, classifier: Classifier) -> None:
    classifier.register("red", [coloured("red", i) for i in range(4)])
    assert len(classifier.similar_to_text("red", templates=["a {} square"], n=3)) == 3
    told = client.embed_texts(["red", "blue"], templates=["a {} square", "a {} thing"])
    assert [one.corrected for one in told.embeddings] == [None, None]
    with pytest.raises(InvalidImage, match="no image was given"):
        client.embed([])


def test_what_the_service_says_of_itself(client: Client, classifier: Classifier) -> None:
    assert (client.health().status, client.ready().status) == ("ok", "ready")
    classifier.put()
    assert classifier.name in [one.name for one in client.classifiers()]
    assert "http_server_request_duration_seconds_count" in client.metrics()
    assert client.re_embedding().state == "none"


def test_problems_say_what_the_service_says(classifier: Classifier) -> None:
    with pytest.raises(NotFound):
        classifier.predict(coloured("red", 0))
    classifier.put()
    with pytest.raises(Conflict) as nothing:
        classifier.predict(coloured("red", 0))
    assert nothing.value.type == "no-classes"
    with pytest.raises(Invalid) as fields:
        classifier.predict(coloured("red", 0), top_k=0)
    assert fields.value.errors[0].loc == ("query", "top_k")
    with pytest.raises(Invalid) as files:
        classifier.register("red", [coloured("red", 0), b"no image", b""])
    assert [one.file for one in files.value.files] == ["image-1", "image-2"]
    assert classifier.classes() == []
    with pytest.raises(Invalid) as settings:
        classifier.put(Settings(method="zero-shot", names_carry_meaning=False))
    assert settings.value.type == "invalid-settings"


@pytest.mark.parametrize("label", [".", "..", "a/b", "../../classes"])
def test_no_name_leads_elsewhere(client: Client, classifier: Classifier, label: str) -> None:
    classifier.put()
    for call in (
        classifier.delete_class,
        classifier.put_class,
        client.classifier(label).delete_class,
    ):
        with pytest.raises(Invalid) as raised:
            call(label)
        assert raised.value.type == "invalid-name"
    assert classifier.get().name == classifier.name


def test_any_label_arrives(classifier: Classifier) -> None:
    labels = ["50% off?", "#1 & more", "森林", 'a"b', "%2F", "semi;colon", "a.b.c", "1"]
    told = classifier.register_labelled((one, coloured("red", i)) for i, one in enumerate(labels))
    assert [one.label for one in told.images] == labels
    for label in labels:
        assert classifier.register(label, coloured("blue", len(label))).images[0].label == label
