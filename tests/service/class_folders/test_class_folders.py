"""Which label each file has, by names alone."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from service.class_folders import ClassFolderError, read_class_folders
from service.class_folders.on_disk import read_folder
from tests.service.images.test_image_containers import HEIC
from tests.service.pictures import encoded

# Names, separated by blanks, and the labels; "-" where a file is skipped.
TOLD: dict[str, tuple[str, str]] = {
    "one folder": ("cat/1.jpg cat/2.jpg", "cat cat"),
    "two folders": ("cat/1.jpg dog/1.jpg", "cat dog"),
    "a common top folder": ("data/cat/1.jpg data/dog/1.jpg", "cat dog"),
    "several of them": ("my/data/cat/1.jpg my/data/dog/1.jpg", "cat dog"),
    "around one class": ("photos/cat/1.jpg", "cat"),
    "a constant folder below": ("cat/images/1.jpg dog/images/1.jpg", "cat dog"),
    "of any name": ("cat/set1/1.jpg dog/set1/1.jpg", "cat dog"),
    "below some": ("cat/1.jpg dog/images/1.jpg", "cat dog"),
    "collections of other names below": ("cat/images/1.jpg dog/photos/1.jpg", "cat dog"),
    "below one class": ("cat/images/1.jpg", "cat"),
    "splits above": ("train/cat/1.jpg train/dog/1.jpg val/cat/1.jpg", "cat dog cat"),
    "splits above, in a folder": ("set/Train/cat/1.jpg set/Test/dog/1.jpg", "cat dog"),
    "splits below": ("cat/train/1.jpg cat/test/2.jpg dog/train/1.jpg", "cat cat dog"),
    "splits and a constant folder": ("train/cat/images/1.jpg val/dog/images/1.jpg", "cat dog"),
    "splits with one class": ("train/cat/1.jpg test/cat/2.jpg", "cat cat"),
    "classes called like splits": ("train/1.jpg bus/1.jpg", "train bus"),
    "nothing but splits": ("train/1.jpg test/1.jpg", "train test"),
    "a class called images": ("images/1.jpg dog/1.jpg", "images dog"),
    "partly in subfolders": ("cat/1.jpg cat/old/2.jpg dog/1.jpg", "cat cat dog"),
    "subfolders of one class": ("cat/1.jpg cat/old/2.jpg", "cat cat"),
    "twice the same folder": ("cat/cat/1.jpg dog/dog/1.jpg", "cat dog"),
    "a folder with a dot": (".net/1.jpg dog/1.jpg", ".net dog"),
    "backslashes": ("cat\\1.jpg dog\\images\\1.jpg", "cat dog"),
    "dots and double slashes": ("./cat/1.jpg dog//./1.jpg", "cat dog"),
    "case counts": ("Cat/1.jpg cat/1.jpg", "Cat cat"),
    "a colon": ("time:10/1.jpg dog/1.jpg", "time:10 dog"),
    "decomposed": (unicodedata.normalize("NFD", "Äpfel/1.jpg") + " Äpfel/2.jpg", "Äpfel Äpfel"),
    "without suffix": ("cat/1 dog/IMG_0001", "cat dog"),
    "macOS": ("__MACOSX/cat/._1.jpg cat/._1.jpg cat/.DS_Store cat/Icon\r cat/1.jpg", "- - - - cat"),
    "Windows": ("cat/desktop.ini cat/Thumbs.db $RECYCLE.BIN/x/1.jpg cat/1.jpg", "- - - cat"),
    "Synology": ("dog/@eaDir/1.jpg/S.jpg #recycle/x/1.jpg dog/1.jpg cat/1.jpg", "- - dog cat"),
    "QNAP": (".@__thumb/1.jpg @Recycle/dog/1.jpg dog/1.jpg cat/1.jpg", "- - dog cat"),
    "tools": (".git/x/1.jpg cat/.ipynb_checkpoints/1.jpg cat/~$1.jpg cat/1.jpg", "- - - cat"),
    "notes and tables": ("README labels.csv cat/notes.md data.json cat/1.jpg", "- - - - cat"),
    "YOLO labels": ("images/cat/1.jpg labels/cat/1.txt images/dog/1.jpg", "cat - dog"),
}  # fmt: skip

# Names, and what the refusal tells.
REFUSED: dict[str, tuple[str, list[str]]] = {
    "two levels vary": (
        "animals/cat/1.jpg plants/rose/1.jpg",
        ["'animals', 'plants'", "'cat', 'rose'", "LABEL/IMAGE"],
    ),
    "sets of their own names": (
        "a/cat/1.jpg a/dog/1.jpg b/cat/1.jpg",
        ["'a', 'b'", "'cat', 'dog'"],
    ),
    "one level for some": (
        "cat/1.jpg pets/dog/1.jpg pets/hen/1.jpg",
        ["'cat', 'pets'", "'dog', 'hen'"],
    ),
    "a split beside a class": ("train/cat/1.jpg dog/1.jpg", ["'dog', 'train'", "'cat'"]),
    "no class at all": (
        "train/images/1.jpg val/images/2.jpg",
        ["no folder has the name of a class"],
    ),
    "splits of a folder": ("pets/train/1.jpg pets/test/2.jpg", ["'pets'", "'test', 'train'"]),
    "images at the top": (
        "cat/1.jpg 2.jpg 3.jpg",
        ["'2.jpg' has no folder", "'3.jpg' has no folder", "beside"],
    ),
    "and below a common folder": ("d/cat/1.jpg d/dog/1.jpg d/2.jpg", ["'d/2.jpg' lies beside"]),
    "images beside classes of a split": (
        "train/1.jpg train/cat/2.jpg",
        ["'train/1.jpg' lies beside"],
    ),
    "no folders": ("1.jpg 2.jpg", ["'1.jpg' has no folder", "'2.jpg' has no folder", "cat/a.jpg"]),
    "outside": (
        "../cat/1.jpg /cat/1.jpg C:/cat/1.jpg C:\\cat\\1.jpg a/../../b.jpg cat/1.jpg",
        [
            "'../cat/1.jpg'",
            "'/cat/1.jpg'",
            "'C:/cat/1.jpg'",
            "outside of itself",
            "'a/../../b.jpg'",
        ],
    ),
    "control characters": ("cat/1\0.jpg cat/\x1b.jpg", ["U+0000", "U+001B"]),
}


@pytest.mark.parametrize("case", TOLD)
def test_the_folder_that_varies_is_the_label(case: str) -> None:
    names, labels = (text.split(" ") for text in TOLD[case])
    found = read_class_folders(names)
    assert ["-" if label is None else label for label in found.labels] == labels
    skipped = [name for name, label in zip(names, labels, strict=True) if label == "-"]
    assert [one.file for one in found.skipped] == skipped
    assert all(one.reason for one in found.skipped)


@pytest.mark.parametrize("case", REFUSED)
def test_ambiguous_class_folders_are_refused_with_advice(case: str) -> None:
    names, told = REFUSED[case]
    with pytest.raises(ClassFolderError) as refusal:
        read_class_folders(names.split(" "))
    for words in told:
        assert words in str(refusal.value)


def test_all_bad_names_are_told_and_in_a_message_only_some_tens() -> None:
    with pytest.raises(ClassFolderError) as refusal:
        read_class_folders(["cat/1.jpg", *(f"{number}.jpg" for number in range(100))])
    assert len(refusal.value.files) == 100
    assert "and 80 more" in str(refusal.value)
    assert len(str(refusal.value)) < 5000


def test_the_documented_examples_are_as_documented() -> None:
    """The table of docs/uploads.md, row by row."""
    text = (Path(__file__).parents[3] / "docs" / "uploads.md").read_text("utf-8")
    table = text.split("| files | labels |")[1].split("\n\n")[0].splitlines()[2:]
    assert len(table) > 10
    for row in table:
        names, labels = (cell.split("`")[1::2] for cell in row.strip("|").split(" | "))
        if labels:
            found = read_class_folders(names)
            assert list(dict.fromkeys(label for label in found.labels if label)) == labels, row
        else:
            with pytest.raises(ClassFolderError):
                read_class_folders(names)


PARTS = st.sampled_from(
    ["cat", "dog", "train", "val", "images", "..", ".", "", "@eaDir", ".net", "a\\b", "1.jpg", "x"]
)
NAMES = st.lists(PARTS, min_size=1, max_size=5).map("/".join) | st.text(max_size=20)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(NAMES, max_size=8))
def test_any_names_are_told_or_refused(names: list[str]) -> None:
    refusal: ClassFolderError | None = None
    try:
        found = read_class_folders(names)
    except ClassFolderError as error:
        refusal = error
    if refusal is not None:
        assert str(refusal)
        assert {fault.file for fault in refusal.files} <= set(names)
        return
    assert len(found.labels) == len(names)
    assert [n for n, label in zip(names, found.labels, strict=True) if label is None] == [
        one.file for one in found.skipped
    ]
    for name, label in zip(names, found.labels, strict=True):
        if label is not None:
            assert label not in {"", ".", ".."}
            assert label in unicodedata.normalize("NFC", name)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(NAMES, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_labels_do_not_depend_on_the_order_of_the_files(names: list[str], random: object) -> None:
    def read(some: list[str]) -> object:
        try:
            return dict(zip(some, read_class_folders(some).labels, strict=True))
        except ClassFolderError:
            return "refused"

    shuffled = list(names)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert read(names) == read(shuffled)


def test_a_folder_on_disk_is_read_by_the_same_rules(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("train/cat/images/1.jpg", "val/dog/images/2", "val/dog/images/3.JPG"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path, "JPEG")
    (tmp_path / "train/cat/images/desktop.ini").write_text("[x]")
    (tmp_path / "labels.csv").write_text("a,b")
    found = read_folder(tmp_path)
    assert [(file.label, file.path.name) for file in found] == [
        ("cat", "1.jpg"), ("dog", "2"), ("dog", "3.JPG"),
    ]  # fmt: skip
    assert "2 files are skipped" in caplog.text
    assert "desktop.ini" in caplog.text
    for name in ("strange.xyz", "nameless"):
        (tmp_path / "train/cat/images" / name).write_text("no image")
    with pytest.raises(ClassFolderError, match=r"nameless' is no image; .*strange.xyz' is no"):
        read_folder(tmp_path)


def test_what_the_decoder_takes_is_an_image_on_disk_whatever_its_name(tmp_path: Path) -> None:
    small = Image.new("RGB", (4, 3))
    for label, kind in (("ant", "heic"), ("bee", "ppm")):
        (tmp_path / label).mkdir()
        content = HEIC.read_bytes() if kind == "heic" else encoded(small, "PPM")
        (tmp_path / label / "unnamed").write_bytes(content)
    (tmp_path / "ant" / "depth.pfm").write_bytes(b"Pf\n1 1\n-1\n\0\0\0\0")
    assert [(found.label, found.path.name) for found in read_folder(tmp_path)] == [
        ("ant", "depth.pfm"),
        ("ant", "unnamed"),
        ("bee", "unnamed"),
    ]
    (tmp_path / "bee" / "card").write_bytes(b"%!PS-Adobe EPSF")
    with pytest.raises(ClassFolderError, match="'bee/card' is no image"):
        read_folder(tmp_path)
