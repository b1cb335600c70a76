"""Many classes in one request: form files with folders, or a zip."""

from __future__ import annotations

import zipfile

from tests.service.client import Classifier
from tests.service.pictures import TEXTURES, patches, picture, zipped

FOLDERS = {
    "ant/1.png": picture(1),
    "ant/2.png": picture(2),
    "bee/1.png": picture(3),
}


def test_the_folder_of_a_form_file_is_its_label(classifier: Classifier) -> None:
    answer = classifier.post_support(FOLDERS)
    assert answer.status_code == 201
    told = answer.json()
    assert (told["created"], told["duplicates"]) == (3, 0)
    assert [(image["label"], image["filename"]) for image in told["images"]] == [
        ("ant", "ant/1.png"),
        ("ant", "ant/2.png"),
        ("bee", "bee/1.png"),
    ]
    assert classifier.counts() == {"ant": 2, "bee": 1}


def test_a_zip_may_be_the_body(classifier: Classifier) -> None:
    answer = classifier.post_zip(zipped(FOLDERS))
    assert answer.status_code == 201
    assert answer.json()["created"] == 3
    assert classifier.counts() == {"ant": 2, "bee": 1}


def test_a_zip_need_not_be_compressed(classifier: Classifier) -> None:
    classifier.post_zip(zipped(FOLDERS, zipfile.ZIP_STORED))
    assert classifier.counts() == {"ant": 2, "bee": 1}


def test_a_zip_may_be_one_of_the_form_files(classifier: Classifier) -> None:
    answer = classifier.post_support(
        {"support.ZIP": zipped(FOLDERS), "cat/1.png": picture(4), "bee/2.png": picture(5)}
    )
    assert answer.json()["created"] == 5
    assert classifier.counts() == {"ant": 2, "bee": 2, "cat": 1}


def test_of_nested_folders_the_innermost_counts(classifier: Classifier) -> None:
    nested = {f"photos/train/{name}": content for name, content in FOLDERS.items()}
    classifier.post_zip(zipped(nested))
    assert classifier.counts() == {"ant": 2, "bee": 1}
    assert classifier.post_support(nested).json()["duplicates"] == 3


def test_form_and_zip_with_the_same_images_are_duplicates(classifier: Classifier) -> None:
    by_form = classifier.post_support(FOLDERS).json()
    before = classifier.state()
    by_zip = classifier.post_zip(zipped(FOLDERS)).json()
    assert (by_zip["created"], by_zip["duplicates"]) == (0, 3)
    assert [i["id"] for i in by_zip["images"]] == [i["id"] for i in by_form["images"]]
    assert classifier.state() == before


def test_what_operating_systems_add_to_zips_is_left_out(classifier: Classifier) -> None:
    clutter = {
        "ant/": b"",
        "ant/.DS_Store": b"Bud1",
        "__MACOSX/ant/._1.png": b"metadata",
        "ant/Thumbs.db": b"thumbnails",
    }
    answer = classifier.post_zip(zipped(FOLDERS | clutter))
    assert answer.status_code == 201, answer.text
    assert classifier.counts() == {"ant": 2, "bee": 1}


def test_backslashes_of_windows_zips_are_folders_too(classifier: Classifier) -> None:
    classifier.post_zip(zipped({name.replace("/", "\\"): c for name, c in FOLDERS.items()}))
    assert classifier.counts() == {"ant": 2, "bee": 1}


def test_unicode_folders_in_zip_and_form_are_labels(classifier: Classifier) -> None:
    classifier.post_zip(zipped({"森林/1.png": picture(1), "Küste/1.png": picture(2)}))
    classifier.post_support({"森林/2.png": picture(3), "Ku\u0308ste/2.png": picture(4)})
    assert classifier.counts() == {"森林": 2, "Küste": 2}


def test_the_same_image_under_two_labels_in_one_request_supports_both(
    classifier: Classifier,
) -> None:
    told = classifier.post_support({"ant/1.png": picture(1), "bee/1.png": picture(1)}).json()
    assert (told["created"], told["duplicates"]) == (2, 0)
    assert classifier.counts() == {"ant": 1, "bee": 1}


def test_classes_of_one_request_can_be_asked_for_at_once(classifier: Classifier) -> None:
    photographs = {
        f"{texture}/{i}.png": patch
        for texture in TEXTURES
        for i, patch in enumerate(patches(texture)[:2])
    }
    assert classifier.post_zip(zipped(photographs)).status_code == 201
    answers = classifier.predictions(*(patches(texture)[0] for texture in TEXTURES))
    assert [answer["label"] for answer in answers] == list(TEXTURES)
