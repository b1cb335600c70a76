"""A zip costs what its limits say: its directory is counted first, its members come one by one."""

from __future__ import annotations

import io
import struct
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import pytest

from service.archives import Unpacked, open_archive
from service.archives.directory import measure_directory
from service.class_folders import ClassFolderError, read_class_folders
from service.problems import ImageTooLarge, InvalidUpload, RequestTooLarge
from service.settings import Settings
from tests.service.attacked import Attacked
from tests.service.client import Classifier, problem
from tests.service.pictures import picture, zipped
from tests.service.server import Server

_MIB = 2**20


def empty_files(number: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for i in range(number):
            made.writestr(zipfile.ZipInfo(f"a/{i}.png"), b"")
    return buffer.getvalue()


def resident(server: Server, which: str) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return next(int(x.split()[1]) / 1024 for x in status.splitlines() if x.startswith(which))


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")
def test_zips_of_zeros_take_the_memory_of_a_few_members(
    server: Server, classifier: Classifier
) -> None:
    size, number = 20 * _MIB - 1, 20
    archive = zipped({f"a/{i}.png": bytes(size) for i in range(number)})
    assert len(archive) < 0.5 * _MIB
    before = classifier.state()
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
    held = resident(server, "VmRSS")
    with ThreadPoolExecutor(2) as threads:
        for answer in threads.map(classifier.post_zip, [archive] * 2):
            problem(answer, 422, "not-an-image", "20 of 20")
    # Two decoders with a member each, what they come from, and what an allocator keeps.
    assert resident(server, "VmHWM") - held < 10 * size / _MIB
    assert classifier.state() == before


@pytest.mark.alone
def test_large_directories_are_refused_before_they_are_read_and_hold_nobody_up(
    spare: Server,
) -> None:
    number, many = 300_000, 44
    entry = b"PK\1\2" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"a"  # APPNOTE, 4.3.12
    size = number * len(entry)
    archive = entry * number + struct.pack("<4s8xIIH", b"PK\5\6", size, 0, 0)
    assert measure_directory(archive) == (number, size)
    told: list[int] = []

    def attack() -> None:
        with ThreadPoolExecutor(many) as threads:
            for answer in threads.map(attacked.normal.post_zip, [archive] * many):
                told.append(answer.status_code)
                if answer.status_code == 413:
                    problem(answer, 413, "request-too-large", f"{number} entries", "10000")
                else:  # as far as there is room for their bytes
                    problem(answer, 503, "overloaded")

    with spare.client() as http:
        attacked = Attacked(spare, http)
        attacked.stands(attack, mib=2 * 512)
        http.delete(attacked.normal.url).raise_for_status()
    assert 413 in told


def test_members_are_counted_as_they_are_read(small: Classifier) -> None:
    # SMALL: 20 kB an image, 50 kB unpacked, 5 images.
    fits = {f"a/{i}.png": picture(i) + bytes(4_000) for i in range(5)}
    assert small.post_zip(zipped(fits)).status_code == 201
    much = {f"b/{i}.png": picture(9) + bytes(10_000) for i in range(4)}
    problem(small.post_zip(zipped(much)), 413, "request-too-large", "50000 bytes")
    assert small.counts() == {"a": 5}
    problem(small.post_zip(empty_files(30)), 413, "request-too-large", "30 entries")


LIMITS = Settings(max_image_bytes=10_000, max_unpacked_bytes=50_000, max_images_per_request=10)


def opened(content: bytes) -> list[bytes]:
    files = open_archive(content, LIMITS, Unpacked(LIMITS))
    return [file.read() for file in files]


def test_a_member_larger_than_it_says_is_not_unpacked_whole() -> None:
    lying = bytearray(zipped({"a/1.png": bytes(10**7)}))
    for signature, at in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        place = lying.index(signature) + at
        lying[place : place + 4] = struct.pack("<I", 100)
    with pytest.raises((ImageTooLarge, InvalidUpload)):
        opened(bytes(lying))


def test_a_kilobyte_of_bzip2_is_not_unpacked_to_a_gigabyte() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_BZIP2) as made:
        made.writestr("a/1.png", bytes(9_000))
    with pytest.raises(InvalidUpload) as refusal:
        opened(buffer.getvalue())
    assert "deflate" in (refusal.value.detail or "")


def test_a_member_that_is_read_again_counts_once() -> None:
    counted = Unpacked(LIMITS.model_copy(update={"max_unpacked_bytes": 15_000}))
    [file] = open_archive(zipped({"a/1.png": bytes(9_000)}), LIMITS, counted)
    assert file.read() == file.read() == bytes(9_000)
    with pytest.raises(RequestTooLarge):
        counted.add(7_000)


def test_the_directory_is_measured_whatever_it_announces() -> None:
    archive = bytearray(zipped({f"a/{i}": b"" for i in range(7)}))
    end = archive.rindex(b"PK\5\6")
    size = struct.unpack_from("<I", archive, end + 12)[0]
    assert measure_directory(bytes(archive)) == (7, size)
    archive[end + 8 : end + 12] = bytes(4)  # it says that there are none
    assert measure_directory(bytes(archive)) == (7, size)
    assert measure_directory(bytes(archive) + b"\0" * 30) is not None
    commented = archive[:-2] + struct.pack("<H", 5) + b"words"
    assert measure_directory(bytes(commented)) == (7, size)
    for nothing in (b"", b"PK", b"PK\5\6", bytes(100)):
        assert measure_directory(nothing) is None


def test_a_zip64_directory_is_measured() -> None:
    archive = zipped({f"a/{i}": b"" for i in range(3)})
    end = archive.rindex(b"PK\5\6")
    size, offset = struct.unpack_from("<II", archive, end + 12)
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 3, 3, size, offset)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
    last = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 2**16 - 1, 2**16 - 1, 2**32 - 1, 2**32 - 1, 0)
    made = archive[:end] + record + locator + last
    assert len(zipfile.ZipFile(io.BytesIO(made)).infolist()) == 3
    found = measure_directory(made)
    assert found is not None
    assert found.size == size
    assert found.entries >= 3


def test_the_zips_of_one_form_are_counted_together(small: Classifier) -> None:
    zips = {f"{i}.zip": empty_files(20) for i in range(3)}
    problem(small.post_support(zips), 413, "request-too-large", "40 entries", "25")


def test_names_of_thousands_of_folders_are_refused_at_once() -> None:
    deep = ["a/" * 30_000 + f"{i}.jpg" for i in range(100)]
    begun = perf_counter()
    with pytest.raises(ClassFolderError, match="32 folders"):
        read_class_folders(["cat/1.jpg", *deep])
    assert perf_counter() - begun < 10
