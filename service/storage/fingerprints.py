"""Embeddings of different backbones must never meet."""

from __future__ import annotations

from sqlalchemy import Engine, select, union
from sqlalchemy.orm import Session

from service.storage.engine import StorageError
from service.storage.tables import BackboneRow, ClassifierRow, ImageRow


class OtherBackboneError(StorageError):
    """The database holds embeddings of another backbone."""


def check_fingerprints(engine: Engine, fingerprint: str, name: str) -> None:
    """See that all that is stored comes from the backbone with this fingerprint.

    Raises:
        OtherBackboneError: Some does not; the message names the command that mends it.
    """
    used = union(select(ImageRow.fingerprint), select(ClassifierRow.fingerprint)).subquery()
    with Session(engine) as session:
        others = session.execute(
            select(BackboneRow.name, BackboneRow.fingerprint)
            .join(used, used.c.fingerprint == BackboneRow.fingerprint)
            .where(BackboneRow.fingerprint != fingerprint)
        ).all()
    if others:
        kept = ", ".join(f"{other} ({digest[:12]})" for other, digest in others)
        raise OtherBackboneError(
            f"the database holds embeddings of the backbone {kept}, which cannot be compared with "
            f"those of {name} ({fingerprint[:12]}). Start with --backbone {others[0][0]}, or embed "
            f"the stored images anew with: handful re-embed --backbone {name}"
        )
