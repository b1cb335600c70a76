"""One place that is damaged: what it is, whose, and how it is mended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from pydantic import TypeAdapter

Kind = Literal["structure", "row", "image", "embeddings", "text"]
"""Of what is damaged: pages of the database; a row's other columns; bytes of an image; embeddings
of one; those of a class's name."""
KINDS: tuple[Kind, ...] = get_args(Kind)

MENDS: Mapping[Kind, str] = {
    "structure": "Stop the service, keep the files, and restore the database from a backup.",
    "row": "Restore the database from a backup. What the row belongs to may be deleted instead.",
    "image": "Restore the bytes from a backup, or DELETE the image and register it again. Queries"
    " are answered as before: they do not need the bytes.",
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
        uses: Paths of the API that show whose it is, some of them.
    """

    kind: Kind
    said: str
    table: str = ""
    key: tuple[int | str, ...] = ()
    uses: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}: {self.said}" + "".join(f" {use}" for use in self.uses)

    def as_json(self) -> dict[str, Any]:
        """A JSON object, which :func:`read_damages` reads."""
        return asdict(self)


_READ = TypeAdapter(tuple[Damage, ...])


def read_damages(stored: object) -> tuple[Damage, ...]:
    """What lists of :meth:`Damage.as_json` hold.

    Raises:
        ValueError: They were written otherwise.
    """
    return _READ.validate_python(stored)
