"""What is skipped is said; and of bad files all are named at once, and nothing is registered."""

from __future__ import annotations

import io
import zipfile

from tests.service.client import Classifier, problem
from tests.service.pictures import encoded, noise, picture, zipped

BROKEN = encoded(noise(2, (200, 200)), "JPEG")[:3000]


def test_what_is_skipped_is_listed_in_the_answer(classifier: Classifier) -> None:
    files = {
        "data/README.txt": b"words",
        "data/cat/1.png": picture(1),
        "data/dog/1.png": picture(2),
        "data/dog/desktop.ini": b"[x]",
        "data/dog/Icon\r": b"",
        "data/dog/@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg": picture(3),
    }
    answer = classifier.post_zip(zipped(files))
    assert answer.status_code == 201, answer.text
    skipped = {one["file"]: one["reason"] for one in answer.json()["skipped"]}
    assert skipped.keys() == {name for name in files if not name.endswith("/1.png")}
    assert all(skipped.values())
    assert classifier.counts() == {"cat": 1, "dog": 1}
    assert classifier.post("cat", picture(1)).json()["skipped"] == []


def test_droppings_among_the_images_of_a_class_are_skipped(classifier: Classifier) -> None:
    answer = classifier.http.post(
        f"{classifier.class_url('cat')}/images",
        files=[("f", ("1.png", picture(1))), ("f", (".DS_Store", b"x")), ("f", ("a.txt", b"x"))],
    )
    assert answer.status_code == 201, answer.text
    assert [one["file"] for one in answer.json()["skipped"]] == [".DS_Store", "a.txt"]
    assert classifier.counts() == {"cat": 1}


def test_an_upload_of_nothing_but_droppings_says_so(classifier: Classifier) -> None:
    answer = classifier.post_zip(zipped({"cat/Thumbs.db": b"x", "notes.txt": b"x"}))
    told = problem(answer, 422, "empty-upload", "'cat/Thumbs.db'", "'notes.txt'")
    assert len(told["files"]) == 2


def test_every_bad_image_is_named_and_none_is_registered(classifier: Classifier) -> None:
    classifier.post("ant", picture(100))
    before = classifier.state()
    files = {f"cat/{number}.png": picture(number) for number in range(20)}
    files |= {"cat/a.png": b"no image", "dog/b.jpg": BROKEN, "dog/c": b"", "dog/d.zip": zipped({})}
    for answer in (
        classifier.post_zip(zipped(files)),
        classifier.post_support(
            {name: content for name, content in files.items() if name != "dog/d.zip"}
        ),
    ):
        told = problem(answer, 422, "not-an-image", "'cat/a.png'", "'dog/b.jpg'", "'dog/c'")
        assert {one["file"] for one in told["files"]} >= {"cat/a.png", "dog/b.jpg", "dog/c"}
        assert all(one["reason"] for one in told["files"])
        assert "cat/1.png" not in told["detail"]
        assert classifier.state() == before


def test_of_very_many_bad_images_some_are_told_and_the_others_counted(
    classifier: Classifier,
) -> None:
    files = {f"cat/{number}.jpg": b"no image %d" % number for number in range(300)}
    answer = classifier.post_zip(zipped(files))
    told = problem(answer, 422, "not-an-image", "300 of 300", "280 more")
    assert len(told["files"]) == 300
    assert len(told["detail"]) < 5000


def test_every_bad_label_is_named(classifier: Classifier) -> None:
    files = {"a\u202eb/1.png": picture(1), f"{'x' * 256}/1.png": picture(2), "ok/1.png": picture(3)}
    told = problem(classifier.post_support(files), 422, "invalid-name", "U+202E", "256")
    assert [one["file"] for one in told["files"]] == list(files)[:2]
    assert classifier.counts() == {}


def test_encrypted_and_unusual_members_are_all_named(classifier: Classifier) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("cat/1.png", picture(1), zipfile.ZIP_BZIP2)
        made.writestr("cat/2.png", picture(2), zipfile.ZIP_LZMA)
        made.writestr("cat/3.png", picture(3), zipfile.ZIP_DEFLATED)
    answer = classifier.post_zip(buffer.getvalue())
    told = problem(answer, 422, "invalid-upload", "'cat/1.png' is compressed", "deflate")
    assert [one["file"] for one in told["files"]] == ["cat/1.png", "cat/2.png"]
    assert classifier.counts() == {}
