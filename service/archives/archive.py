"""The members of a zip archive in memory, each unpacked when it is read and not before."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from service.archives.code_pages import CodePageError
from service.archives.directory import HEADER_BYTES, Directory, measure_directory, tail_bytes
from service.archives.names import ZIPFILE_ENCODING, member_names
from service.images.uploaded import UploadedImage
from service.problems import ImageTooLarge, InvalidUpload, RequestTooLarge
from service.settings import Settings

# An archive has folders, and droppings beside its images: so many entries for each that it may
# have, and so many bytes of directory for each entry.
_ENTRIES = 5
_ENTRY_BYTES = 1024
_ENCRYPTED = 0x1
# Bytes of a directory on the disk that are read to count its entries.
_ON_DISK = 2**28


class Unpacked:
    """Counts what the archives of one request hold, all together.

    Args:
        settings: The limits.
    """

    def __init__(self, settings: Settings) -> None:
        self._most = settings.max_unpacked_bytes
        self._images = settings.max_images_per_request
        self._bytes = 0
        self._entries = 0
        self._directories = 0
        self._lock = Lock()

    def add_directory(self, entries: int, size: int) -> None:
        """Count a directory that is to be read.

        Args:
            entries: In it.
            size: Its bytes.

        Raises:
            RequestTooLarge: They are more than so many images need.
        """
        most = _ENTRIES * self._images
        self._entries += entries
        self._directories += size
        if self._entries > most or self._directories > most * _ENTRY_BYTES:
            raise RequestTooLarge(
                f"The zip has {self._entries} entries in {self._directories} bytes of directory; "
                f"at most {most} in {most * _ENTRY_BYTES} are accepted, for {self._images} images. "
                "Send several smaller ones."
            )

    def add(self, count: int) -> None:
        """Count the bytes of a member; once, however often it is read.

        Raises:
            RequestTooLarge: All together are too large.
        """
        with self._lock:
            self._bytes += count
            if self._bytes > self._most:
                raise RequestTooLarge(
                    f"The zip unpacks to more than {self._most} bytes. Send several smaller ones."
                )


def open_archive(
    content: bytes | Path, settings: Settings, unpacked: Unpacked, encoding: str | None = None
) -> list[UploadedImage]:
    """List the files of a zip archive, without unpacking any; folders are left out.

    Takes milliseconds to tenths of a second; may run in any thread, and so may what it returns.

    Args:
        content: The archive, or where it lies; then it stays open as long as a file of it is held.
        settings: The limits.
        unpacked: Counts what is read, of all archives of a request.
        encoding: Of names that do not say that they are UTF-8; found out where it is None.

    Raises:
        InvalidUpload: It is no zip or damaged, or names have an encoding that cannot be told.
        RequestTooLarge: Its directory is larger than so many images need.
    """
    if isinstance(content, bytes):
        directory = measure_directory(content)
    else:
        directory = _measured_on_disk(content)
    if directory is None:
        raise InvalidUpload("The zip is damaged or no zip: it has no directory at its end.")
    unpacked.add_directory(*directory)
    try:
        source = io.BytesIO(content) if isinstance(content, bytes) else content
        archive = ZipFile(source, metadata_encoding=ZIPFILE_ENCODING)
        infos = [i for i in archive.infolist() if i.orig_filename[-1:] not in {"/", "\\"}]
        names = member_names(infos, encoding)
    except CodePageError as error:
        raise InvalidUpload(str(error)) from error
    # A damaged archive leads zipfile to any kind of error.
    except Exception as error:
        raise InvalidUpload(f"The zip is damaged or no zip: {error}") from error
    return [
        UploadedImage(name, _Member(archive, info, name, settings, unpacked.add))
        for info, name in zip(infos, names, strict=True)
    ]


def _measured_on_disk(path: Path) -> Directory | None:
    """As :func:`measure_directory`, reading no more of a file than its end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - tail_bytes(0)))
        announced = measure_directory(file.read())
        if announced is None:
            return None
        if announced.size > _ON_DISK:
            return Directory(announced.size // HEADER_BYTES, announced.size)
        file.seek(max(0, size - tail_bytes(announced.size)))
        return measure_directory(file.read())


class _Member:
    """Reads one file of an archive, within the limits."""

    __slots__ = ("_add", "_archive", "_info", "_most", "_what")

    def __init__(
        self,
        archive: ZipFile,
        info: ZipInfo,
        name: str,
        settings: Settings,
        add: Callable[[int], None],
    ) -> None:
        self._archive = archive
        self._info = info
        self._most = settings.max_image_bytes
        self._what = UploadedImage.of(name, b"").called
        self._add: Callable[[int], None] | None = add

    def __call__(self) -> bytes:
        """Unpack it.

        Raises:
            InvalidUpload: It is damaged, encrypted, or compressed by an unusual method.
            ImageTooLarge, RequestTooLarge: There is too much in it.
        """
        if self._info.flag_bits & _ENCRYPTED:
            raise InvalidUpload(f"{self._what} is encrypted: write the zip without a password.")
        # Of other methods zipfile cannot unpack a part: a few kilobytes may be gigabytes.
        if self._info.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
            raise InvalidUpload(
                f"{self._what} is compressed by method {self._info.compress_type}: write the zip "
                "with the usual one, deflate."
            )
        content = b""
        # The size in the directory may lie: count what really comes out.
        if self._info.file_size <= self._most:
            try:
                with self._archive.open(self._info) as member:
                    content = member.read(self._most + 1)
            # zipfile and its decompressors raise whatever the damage leads to.
            except Exception as error:
                raise InvalidUpload(f"{self._what} is damaged in the zip: {error}") from error
        if max(len(content), self._info.file_size) > self._most:
            raise ImageTooLarge(
                f"{self._what} has more than {self._most} bytes, the most that are accepted."
            )
        if self._add is not None:
            add, self._add = self._add, None
            add(len(content))
        return content
