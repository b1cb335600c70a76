"""Which embeddings a process answers with: its own, and those of other recipes that it accepts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection, Engine, select
from sqlalchemy.orm import Session

from service.storage.fingerprints import (
    Origin,
    other_backbone,
    plain_fingerprint,
    refused,
    remember,
)
from service.storage.tables import ReEmbeddingRow


class AcceptedOrigins:
    """What the embeddings of one process's classifiers may come from. Methods block.

    Args:
        engine: Of the database.
        own: What the embeddings that are made now come from.
        accepts: Whether this process embeds under another fingerprint, too.
        prompted: Whether one that it accepts is of the prompts of a classifier.

    Raises:
        StorageFull, StorageUnavailable: It cannot be written down whose they are.
    """

    def __init__(
        self,
        engine: Engine,
        own: Origin,
        accepts: Callable[[str], bool],
        prompted: Callable[[str], bool] = refused,
    ) -> None:
        self._engine = engine
        self._accepts = accepts
        self._prompted = prompted
        self.own = own
        remember(engine, own)

    def of(self, fingerprint: str) -> Origin:
        """What embeddings under a fingerprint come from, if they are this backbone's."""
        own = self.own
        beside = own.fingerprint if self._prompted(fingerprint) else None
        return replace(own, fingerprint=fingerprint, beside=beside)

    def accept(self, fingerprint: str) -> bool:
        """Whether this process embeds under that fingerprint."""
        return fingerprint == self.own.fingerprint or self._accepts(fingerprint)

    def checked(self, connection: Connection, fingerprint: str, what: str) -> Origin:
        """What embeddings under that fingerprint come from.

        Args:
            connection: Of the transaction that found them.
            fingerprint: Theirs.
            what: Has them, as the beginning of a sentence: ``The file holds``.

        Raises:
            OtherBackbone: This process does not embed under it.
        """
        if not self.accept(fingerprint):
            raise other_backbone(connection, what, fingerprint, self.own)
        return self.of(fingerprint)

    def make_under(self, fingerprint: str) -> None:
        """Make embeddings under another fingerprint from now on: that of another recipe.

        Raises:
            StorageFull, StorageUnavailable: It cannot be written down.
        """
        own = self.of(fingerprint)
        remember(self._engine, own)
        self.own = own

    def follow_recipe(self) -> None:
        """Make embeddings in the recipe that others have moved the database to."""
        with Session(self._engine) as session:
            target = session.scalar(select(ReEmbeddingRow.target)) or session.scalar(
                plain_fingerprint()
            )
        if target not in (None, self.own.fingerprint) and self._accepts(target):
            self.make_under(target)
