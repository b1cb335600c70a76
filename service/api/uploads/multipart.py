"""Multipart forms (``multipart/form-data``, RFC 7578): their files, in memory."""

from __future__ import annotations

import binascii
import io
import quopri
from dataclasses import dataclass, field

import anyio.to_thread
from python_multipart.multipart import parse_options_header
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from service.api.uploads.content_disposition import read_disposition, text_charset
from service.problems import InvalidUpload, RequestTooLarge
from service.settings import Settings

# Fields that are no files; there is no use for any.
_TEXT_FIELDS = 100
_FILE_TYPES = ("image/", "application/octet-stream", "application/zip", "application/x-zip")
# Transfer encodings that leave the bytes as they are (RFC 2045; deprecated in RFC 7578).
_AS_IT_IS = {b"", b"binary", b"8bit", b"7bit"}


@dataclass(frozen=True, slots=True)
class FormFile:
    """A file of a form.

    Attributes:
        filename: Its name; bytes where it cannot be told which encoding it has.
        media_type: As its part says, in small letters; may be empty.
        content: Its bytes.
    """

    filename: str | bytes
    media_type: str
    content: bytes


async def form_files(request: Request, settings: Settings) -> list[FormFile]:
    """All files of the form that is the body.

    A part is a file where it has a file name, or the type of one: several clients leave the name
    out.

    Raises:
        InvalidUpload: The body is no form or is cut short, or a field is no file.
        RequestTooLarge: There are too many files.
    """
    # Not request.form(): within an application that turns every defect into a bare 400.
    parser = _Parser(
        request.headers,
        request.stream(),
        max_files=settings.max_images_per_request,
        max_fields=_TEXT_FIELDS,
    )
    try:
        await parser.parse()
    except MultiPartException as error:
        if "Too many files" in error.message:
            raise too_many(settings) from error
        raise InvalidUpload(f"The multipart body cannot be read: {error.message}") from error
    if not parser.ended:
        raise InvalidUpload("The multipart body is cut short: its last boundary is missing.")
    if parser.texts:
        raise InvalidUpload(_no_file(parser.texts))
    if any(part.transfer_encoding not in _AS_IT_IS for part in parser.files):
        return await anyio.to_thread.run_sync(lambda: list(map(_file, parser.files)))
    return list(map(_file, parser.files))


def too_many(settings: Settings) -> RequestTooLarge:
    """The refusal of more images than are accepted."""
    return RequestTooLarge(
        f"At most {settings.max_images_per_request} images are accepted in one request. Send "
        "several requests."
    )


def _no_file(names: list[str]) -> str:
    if len(names) == 1:
        return (
            f"The form field {names[0]!r} is text, not a file. With curl, write -F "
            f"{names[0]}=@FILE; in other clients give the part a file name, or an image's "
            "Content-Type."
        )
    return (
        f"The form fields {', '.join(map(repr, names))} are text, not files. With curl, write -F "
        "NAME=@FILE; in other clients give each part a file name, or an image's Content-Type."
    )


@dataclass(slots=True)
class _Part:
    """The part that is being read."""

    disposition: bytes = b""
    media_type: str = ""
    transfer_encoding: bytes = b""
    name: str = ""
    filename: str | bytes | None = None
    is_file: bool = False
    size: int = 0
    content: io.BytesIO = field(default_factory=io.BytesIO)


class _Parser(MultiPartParser):
    """Starlette's parser, with names as they were meant and files that are left in memory.

    Starlette's own takes a form without its end for a whole one, knows only ``filename``, and
    writes larger files to disk, from where each would be read again.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.ended = False
        self.files: list[_Part] = []
        self.texts: list[str] = []
        self._part = _Part()
        _, options = parse_options_header(self.headers["content-type"])
        self._names_in = text_charset(options.get(b"charset"))

    def on_end(self) -> None:
        self.ended = True

    def on_part_begin(self) -> None:
        self._part = _Part()

    def on_header_end(self) -> None:
        name, value = self._current_partial_header_name.lower(), self._current_partial_header_value
        if name == b"content-disposition":
            self._part.disposition = value
        elif name == b"content-type":
            self._part.media_type = value.partition(b";")[0].strip().lower().decode("latin-1")
        elif name == b"content-transfer-encoding":
            self._part.transfer_encoding = value.strip().lower()
        self._current_partial_header_name = b""
        self._current_partial_header_value = b""

    def on_headers_finished(self) -> None:
        part = self._part
        disposition = read_disposition(part.disposition, self._names_in)
        if disposition.name is None and disposition.filename is None:
            raise MultiPartException(
                "a part has no Content-Disposition header with the field's name."
            )
        part.name, part.filename = disposition.name or "", disposition.filename
        part.is_file = disposition.filename is not None or part.media_type.startswith(_FILE_TYPES)
        if part.is_file:
            self._current_files += 1
            if self._current_files > self.max_files:
                raise MultiPartException("Too many files.")
        else:
            self._current_fields += 1
            if self._current_fields > self.max_fields:
                raise MultiPartException(f"there are more than {self.max_fields} fields of text.")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._part.size += end - start
        if self._part.is_file:
            self._part.content.write(memoryview(data)[start:end])
        elif self._part.size > self.max_part_size:
            raise MultiPartException(
                f"the field {self._part.name!r} is text of more than {self.max_part_size} bytes. "
                "An image needs a file name, or an image's Content-Type, in its part."
            )

    def on_part_end(self) -> None:
        part = self._part
        self._part = _Part()
        if not part.is_file:
            self.texts.append(part.name)
        # What browsers send for a field of files in which none was chosen.
        elif part.filename != "" or part.size:
            self.files.append(part)


def _file(part: _Part) -> FormFile:
    return FormFile(part.filename or "", part.media_type, _transferred(part))


def _transferred(part: _Part) -> bytes:
    content = part.content.getvalue()
    if part.transfer_encoding in _AS_IT_IS:
        return content
    if part.transfer_encoding == b"base64":
        try:
            return binascii.a2b_base64(content)
        except binascii.Error as error:
            raise InvalidUpload(f"The field {part.name!r} is no base64: {error}.") from error
    if part.transfer_encoding == b"quoted-printable":
        return quopri.decodestring(content)
    raise InvalidUpload(
        f"The field {part.name!r} has an unknown Content-Transfer-Encoding; send the bytes as they "
        "are."
    )
