"""One place that is damaged: what it is, whose, and how it is mended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from pydantic import TypeAdapter

Kind = Literal["structure", "row", "image", "store", "embeddings", "text"]
"""Of what is damaged: pages of the database; a row's other columns; bytes of an image; a folder or
bucket with images that cannot be read now; embeddings of an image; those of a class's name."""
KINDS: tuple[Kind, ...] = get_args(Kind)
# Places that are kept of a check.
_MOST = 1000

MENDS: Mapping[Kind, str] = {
    "structure": "Stop the service, keep the files, and restore the database from a backup.",
    "row": "Restore the database from a backup. What the row belongs to may be deleted instead.",
    "image": "Restore the bytes from a backup, or DELETE the image and register it again. Queries"
    " are answered as before: they do not need the bytes.",
    "store": "Look at that folder or bucket: is its disk mounted and whole, are the credentials"
    " right? What stays unreadable is mended as damaged images are. Then run this command again.",
    "embeddings": "A running service makes them anew from the image's bytes if these are whole."
    " Otherwise DELETE the classifier and register its images again, or restore a backup.",
    "text": "A running service makes it anew from the class's name. Otherwise restore a backup.",
}


@dataclass(frozen=True, slots=True)
class Damage:
    """One damaged place.

    Attributes:
        kind: Of what.
        said: What is wrong with it, in a sentence.
        table: That it is in; empty: of no table alone.
        key: The primary key of its row there.
        uses: Paths of the API that show whose it is, some of them, each with its tenant.
    """

    kind: Kind
    said: str
    table: str = ""
    key: tuple[int | str, ...] = ()
    uses: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = " ".join(self.uses)
        if not where and self.key:
            where = f"({self.table} {', '.join(map(str, self.key))})"
        return f"{self.kind}: {self.said} {where}".rstrip()


@dataclass(slots=True)
class Found:
    """What a check has found and could not mend.

    Attributes:
        counts: How many places, by kind; none of a kind that there is none of.
        first: The first thousand of them.
    """

    counts: dict[Kind, int] = field(default_factory=dict)
    first: list[Damage] = field(default_factory=list)

    @property
    def places(self) -> int:
        """How many there are."""
        return sum(self.counts.values())

    def add(self, damage: Damage) -> None:
        """One more."""
        self.counts[damage.kind] = self.counts.get(damage.kind, 0) + 1
        if len(self.first) < _MOST:
            self.first.append(damage)

    def as_json(self) -> dict[str, Any]:
        """A JSON object, which :func:`read_found` reads."""
        return asdict(self)


_READ = TypeAdapter(Found)


def read_found(stored: object) -> Found:
    """What an object of :meth:`Found.as_json` holds.

    Raises:
        ValueError: It was written otherwise.
    """
    return _READ.validate_python(stored)
