"""Request: its parts as bytes, so that each may be made wrong by itself."""

from __future__ import annotations

from dataclasses import dataclass, field

Field = tuple[bytes, bytes]


@dataclass(slots=True)
class Request:
    """A request that is about to be sent.

    Attributes:
        method: As it is sent; so are the others.
        path: Without the query.
        query: Without its question mark; empty for none.
        fields: Header fields, without Host and what frames the body.
        body: As it is sent, coded or not.
        host: Value of the field.
    """

    method: bytes
    path: bytes
    query: bytes = b""
    fields: list[Field] = field(default_factory=list)
    body: bytes = b""
    host: bytes = b"localhost"

    @property
    def target(self) -> bytes:
        """Path and query."""
        return self.path + b"?" + self.query if self.query else self.path

    def head(self, *framing: Field) -> bytes:
        """The request line and all fields, with those that frame the body."""
        lines = [self.method + b" " + self.target + b" HTTP/1.1", b"host: " + self.host]
        lines += [name + b": " + value for name, value in (*self.fields, *framing)]
        return b"\r\n".join([*lines, b"", b""])

    def rendered(self) -> bytes:
        """All of it, framed as it should be."""
        if not self.body and self.method in {b"GET", b"HEAD", b"DELETE", b"OPTIONS"}:
            return self.head()
        return self.head((b"content-length", b"%d" % len(self.body))) + self.body

    def has(self, name: bytes) -> bool:
        """Whether there is such a field."""
        return any(one == name for one, _ in self.fields)

    def put(self, name: bytes, value: bytes) -> None:
        """Give it a field in the place of all of that name."""
        self.fields = [(one, what) for one, what in self.fields if one != name]
        self.fields.append((name, value))
