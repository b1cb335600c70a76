"""Names in zips: labels are those that the sender sees."""

# ruff: noqa: E501 - wide characters count twice

from __future__ import annotations

import io
import struct
import unicodedata
import zipfile
import zlib

import pytest

from service.archives.code_pages import CodePageError, choose_code_page
from service.archives.names import decode_names
from tests.campaigns.code_pages import outcomes
from tests.campaigns.words import LANGUAGES
from tests.service.client import Classifier, problem
from tests.service.pictures import picture


def archive(
    names: list[str], encoding: str, *, utf8_flag: bool = False, extra: bool = False
) -> bytes:
    """A zip whose names have this encoding, as writers of other systems make them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for number, name in enumerate(names):
            info = zipfile.ZipInfo(f"{number:08}")
            if extra:
                field = b"\1" + struct.pack("<I", zlib.crc32(name.encode(encoding, "replace")))
                field += name.encode()
                info.extra = struct.pack("<HH", 0x7075, len(field)) + field
            made.writestr(info, picture(number))
    content = buffer.getvalue()
    # Written again with other names, which are as long as zipfile does not make them.
    return renamed(content, [name.encode(encoding, "replace") for name in names], utf8_flag)


def renamed(content: bytes, names: list[bytes], utf8_flag: bool) -> bytes:
    """The archive with these bytes as names, in both places where each stands."""
    locals_: list[bytes] = []
    central: list[bytes] = []
    offset = 0
    with zipfile.ZipFile(io.BytesIO(content)) as made:
        for info, name in zip(made.infolist(), names, strict=True):
            data = made.read(info)
            flags = 0x800 if utf8_flag else 0
            common = struct.pack(
                "<HHHHHIIIHH", 20, flags, 0, 0, 33, info.CRC, len(data), len(data), len(name),
                len(info.extra),
            )  # fmt: skip
            locals_.append(b"PK\3\4" + common + name + info.extra + data)
            central.append(
                b"PK\1\2" + struct.pack("<H", 20) + common
                + struct.pack("<HHHII", 0, 0, 0, 0, offset) + name + info.extra
            )  # fmt: skip
            offset += len(locals_[-1])
    directory = b"".join(central)
    end = struct.pack(
        "<4sHHHHIIH", b"PK\5\6", 0, 0, len(names), len(names), len(directory), offset, 0
    )
    return b"".join(locals_) + directory + end


def labels(answer: object) -> set[str]:
    return {image["label"] for image in answer.json()["images"]}  # type: ignore[attr-defined]


SENT: dict[str, tuple[list[str], str, set[str]]] = {
    "macOS": (["A\u0308pfel/1.jpg", "香蕉/1.jpg"], "utf-8", {"Äpfel", "香蕉"}),
    "Windows in China": (["苹果/1.jpg", "梨/1.jpg"], "gbk", {"苹果", "梨"}),
    "Windows in Japan": (["りんご/1.jpg", "表/1.jpg"], "cp932", {"りんご", "表"}),
    "Windows in Taiwan": (["蘋果/1.jpg", "香蕉/1.jpg", "西瓜/2.jpg"], "big5", {"蘋果", "香蕉", "西瓜"}),
    "Windows in Korea": (["고양이/1.jpg", "자동차/1.jpg"], "cp949", {"고양이", "자동차"}),
    "Windows in Russia": (["кошка/1.jpg", "собака/1.jpg"], "cp866", {"кошка", "собака"}),
    "backslashes": (["森林\\1.jpg", "海\\2.jpg"], "utf-8", {"森林", "海"}),
}  # fmt: skip


@pytest.mark.parametrize("sender", SENT)
def test_names_without_the_flag_of_utf8_are_labels_as_their_sender_sees_them(
    classifier: Classifier, sender: str
) -> None:
    names, encoding, expected = SENT[sender]
    answer = classifier.post_zip(archive(names, encoding))
    assert answer.status_code == 201, answer.text
    assert labels(answer) == expected
    if encoding != "utf-8":
        assert [image["filename"] for image in answer.json()["images"]] == names


def test_what_an_archive_says_of_its_names_is_believed(classifier: Classifier) -> None:
    names = ["Äpfel/1.jpg", "梨/1.jpg"]
    for said in (archive(names, "utf-8", utf8_flag=True), archive(names, "cp437", extra=True)):
        assert labels(classifier.post_zip(said)) == {"Äpfel", "梨"}


def test_a_unicode_path_of_another_name_is_not_believed(classifier: Classifier) -> None:
    lying = archive(["cät/1.jpg"], "cp437", extra=True).replace("cät".encode("cp437"), b"c\x94t")
    answer = classifier.post_zip(lying)
    assert answer.status_code == 422 or labels(answer) != {"cät"}


def test_names_of_an_unclear_encoding_are_refused_with_their_readings_and_the_parameter(
    classifier: Classifier,
) -> None:
    unclear = archive(["梨/1.jpg", "dog/1.jpg"], "gbk")
    before = classifier.state()
    told = problem(classifier.post_zip(unclear), 422, "invalid-upload", "'梨'", "'잦'")["detail"]
    assert "?filename_encoding=gb18030" in told
    assert classifier.state() == before
    url, zipped = f"{classifier.url}/support", {"content-type": "application/zip"}
    for encoding in ("gb18030", "gbk"):
        answer = classifier.http.post(
            url, params={"filename_encoding": encoding}, content=unclear, headers=zipped
        )
        assert labels(answer) == {"梨", "dog"}
    answer = classifier.http.post(
        url, params={"filename_encoding": "ascii"}, content=unclear, headers=zipped
    )
    problem(answer, 422, "invalid-upload", "is not in ascii")


@pytest.mark.parametrize(
    "encoding", ["nonsense", "unicode_escape", "idna", "utf-16", "hex", "x" * 99]
)
def test_an_encoding_that_is_none_of_file_names_is_refused(
    classifier: Classifier, encoding: str
) -> None:
    answer = classifier.http.post(
        f"{classifier.url}/support",
        params={"filename_encoding": encoding},
        content=archive(["cat/1.jpg"], "utf-8"),
        headers={"content-type": "application/zip"},
    )
    problem(answer, 422, "request-validation-failed", "filename_encoding")


def test_bad_names_are_a_problem_and_never_a_failure(classifier: Classifier) -> None:
    before = classifier.state()
    for names, told in (
        ([b"cat/\0.jpg"], "U+0000"),
        ([b"cat/a\x1b[31m.jpg"], "U+001B"),
        ([b""], "names no file"),
        ([b"cat\0/1.jpg"], "U+0000"),
    ):
        made = renamed(archive(["0"] * len(names), "utf-8"), names, utf8_flag=False)
        problem(classifier.post_zip(made), 422, "invalid-upload", told)
    flagged = renamed(archive(["0"], "utf-8"), [b"\xff/1.jpg"], utf8_flag=True)
    problem(classifier.post_zip(flagged), 422, "invalid-upload", "damaged")
    assert classifier.state() == before


@pytest.mark.parametrize("language", LANGUAGES)
def test_code_pages_of_ten_labels_are_hardly_ever_told_wrongly(language: str) -> None:
    for code_page in LANGUAGES[language].code_pages:
        found = outcomes(LANGUAGES[language].words, code_page, 10, 20, seed=1)
        assert found["wrong"] == 0
        if language.startswith(("Chinese", "Japanese", "Korean", "Russian", "Greek", "Thai")):
            assert found["right"] >= 19


def test_names_that_read_like_nothing_are_refused() -> None:
    with pytest.raises(CodePageError, match="UTF-8"):
        choose_code_page([bytes([0x80 + 37 * i % 128]) for i in range(100)])


def test_normal_forms_stay_as_they_are_until_they_are_labels() -> None:
    decomposed = unicodedata.normalize("NFD", "é")
    assert decode_names([decomposed.encode(), b"a"]) == [decomposed, "a"]
