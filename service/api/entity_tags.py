"""Entity tags (RFC 9110, 8.8.3): which state of a classifier an answer shows.

The tag of a classifier and of all below it begins with that of its content: settings, classes and
images. What follows tells representations of one content apart: the tuning, which is renewed in the
background, or the bytes of an image. ``If-Match`` asks for the content alone, so a change never
fails because the tuning was renewed; ``If-None-Match`` asks for the whole representation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from fastapi import Response

from service.problems import InvalidPrecondition
from service.storage.records import State

_TAG = r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"'
_TAGS = re.compile(rf"[ \t,]*(?:{_TAG}[ \t]*(?:,[ \t,]*|$))*")
_ONE = re.compile(_TAG)
# More are no list of states that somebody has seen.
_MOST_BYTES = 4096


def content_tag(state: State, representation: str = "") -> str:
    """The strong entity tag of a state's content, or of one representation of it."""
    since = int(state.created_at.timestamp() * 1e6)
    return f'"{since:x}.{state.content_revision}{representation and "." + representation}"'


@dataclass(frozen=True, slots=True)
class EntityTags:
    """The value of ``If-Match`` or ``If-None-Match``.

    Attributes:
        any: Whether it is ``*``.
        tags: Otherwise entity tags, each with whether it is weak.
    """

    any: bool
    tags: tuple[tuple[bool, str], ...] = ()

    @classmethod
    def of(cls, field: str, value: str) -> Self:
        """Read a header field.

        Raises:
            InvalidPrecondition: It is no list of entity tags.
        """
        if value.strip(" \t") == "*":
            return cls(any=True)
        if len(value) > _MOST_BYTES or not value.strip(" \t,") or not _TAGS.fullmatch(value):
            raise InvalidPrecondition(
                f"{field} is {value[:100]!r}. Send the ETag of an answer as it is, in its quotes,"
                " several of them with commas between, or *."
            )
        return cls(any=False, tags=tuple((bool(weak), tag) for weak, tag in _ONE.findall(value)))

    def have_content_of(self, state: State | None) -> bool:
        """Strong comparison (RFC 9110, 8.8.3.2) with the content of a state; None: of nothing."""
        if state is None:
            return False
        mine = content_tag(state).strip('"')
        return self.any or any(
            not weak and (tag == mine or tag.startswith(f"{mine}.")) for weak, tag in self.tags
        )

    def have(self, tag: str) -> bool:
        """Weak comparison with the tag of a representation."""
        return self.any or any(f'"{one}"' == tag for _, one in self.tags)

    def have_bytes_of(self, tag: str) -> bool:
        """Whether one has the same end, which tells bytes by their digest, of any content."""
        end = tag.rpartition(".")[2]
        return self.any or any(f'{one}"'.endswith(f".{end}") for _, one in self.tags)


def tagged(response: Response, tag: str) -> Response:
    """The answer with its tag, to be asked for again each time."""
    response.headers["etag"] = tag
    response.headers["cache-control"] = "no-cache"
    return response
