"""Embeddings of different backbones must never meet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Select,
    Subquery,
    select,
    union,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from adapters.recipe import recipe_with
from service.problems import OtherBackbone
from service.storage.errors import Outdated, StorageError
from service.storage.tables import (
    BackboneRow,
    ClassifierRow,
    ImageRow,
    ReEmbeddingRow,
    TrainedPromptsRow,
    ViewsRow,
)
from service.storage.transactions import writing


class OtherBackboneError(StorageError):
    """The database holds embeddings of another backbone."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What embeddings come from.

    Attributes:
        fingerprint: Of the backbone; by this alone embeddings may meet or not.
        name: The backbone as it was asked for.
        adapter: The trained adapter as it was asked for; None: the backbone's own, if any.
        prompts: The trained prompts; None: none.
        model: Fingerprint of the model that the recipe is applied to, where it is known.
        beside: Of embeddings under the prompts of a classifier: the fingerprint of those without
            them, beside which they stand.
    """

    fingerprint: str
    name: str
    adapter: str | None = None
    prompts: str | None = None
    model: str | None = field(default=None, compare=False)
    beside: str | None = field(default=None, compare=False)

    @property
    def precision(self) -> str | None:
        """The precision of the recipe, where the model is known."""
        return None if self.model is None else precision_of(self.fingerprint, self.model)

    def __str__(self) -> str:
        parts = [self.fingerprint[:12]]
        parts += [f"adapter {self.adapter}"] if self.adapter else []
        parts += [f"prompts {self.prompts}"] if self.prompts else []
        parts += [self.precision] if self.precision else []
        return f"{self.name} ({', '.join(parts)})"

    @property
    def options(self) -> str:
        """What to start a command with, to get it."""
        words = [f"--backbone {self.name}"]
        words += [f"--adapter {self.adapter}"] if self.adapter else []
        words += [f"--prompts {self.prompts}"] if self.prompts else []
        return " ".join(words)


def stored_fingerprints(engine: Engine) -> frozenset[str]:
    """What all comes from that is stored without prompts of a classifier; empty: nothing is."""
    with Session(engine) as session:
        return frozenset(session.scalars(select(_used(prompted=False).c.fingerprint)))


def check_fingerprints(engine: Engine, own: Origin) -> None:
    """See that all that is stored comes from this backbone, by its fingerprint.

    Raises:
        OtherBackboneError: Some does not; the message names both sides with their adapters and
            prompts, and the command that mends it.
    """
    used = _used()
    with Session(engine) as session:
        others = [
            origin_of_row(row)
            for row in session.execute(
                select(*BackboneRow.__table__.columns)
                .join(used, used.c.fingerprint == BackboneRow.fingerprint)
                .where(BackboneRow.fingerprint.not_in(fingerprints_allowed(session, own)))
            )
        ]
    if others:
        raise OtherBackboneError(_refusal("the database holds", others, own, "Start"))


def plain_fingerprint() -> Select[str]:
    """What a classifier without prompts of its own is of: any, but for a move the same for all."""
    return select(ClassifierRow.fingerprint).where(ClassifierRow.prompts.is_(None)).limit(1)


def latest_plain_fingerprint(session: Session) -> str | None:
    """What is embedded without prompts of a classifier comes from, as the database has it now.

    That of the recipe that it moves to, while it does; None where nothing is stored.
    """
    return (
        session.scalar(select(ReEmbeddingRow.target))
        or session.scalar(plain_fingerprint())
        or session.scalar(select(ImageRow.fingerprint).limit(1))
    )


def _used(*, prompted: bool = True) -> Subquery:
    tables = (ImageRow, ViewsRow)
    classifiers = select(ClassifierRow.fingerprint)
    if not prompted:
        classifiers = classifiers.where(ClassifierRow.prompts.is_(None))
    return union(*(select(table.fingerprint) for table in tables), classifiers).subquery()


def check_no_other(session: Session, own: Origin) -> None:
    """See that no classifier is of another backbone, before one is created.

    Another backbone's would keep both services from starting again. Where two make their first
    ones at the same time, the second waits here and sees the first. While the database moves from
    one recipe to another, classifiers of both are there.

    Raises:
        OtherBackbone: One is.
        Outdated: The database has moved to another recipe of the same backbone.
    """
    lock_backbones(session)
    allowed = fingerprints_allowed(session, own, of_classifiers=True)
    if own.fingerprint not in allowed:
        raise Outdated
    other = session.scalar(
        select(ClassifierRow.fingerprint).where(ClassifierRow.fingerprint.not_in(allowed)).limit(1)
    )
    if other is not None:
        raise other_backbone(session.connection(), "The database holds", other, own)


def lock_backbones(session: Session) -> None:
    """Take turns with all that create classifiers, until the transaction ends."""
    session.execute(
        select(BackboneRow.fingerprint)
        .order_by(BackboneRow.fingerprint)
        .with_for_update(key_share=True)
    )


def fingerprints_allowed(
    session: Session, own: Origin, *, of_classifiers: bool = False
) -> set[str]:
    """Fingerprints that may be there beside this one.

    They are those of both recipes while the database moves, and under prompts of this model.

    Args:
        session: Of the transaction.
        own: What the service's embeddings come from.
        of_classifiers: Whether those of images do not count, which are the last to change.
    """
    prompted = select(TrainedPromptsRow.fingerprint).where(TrainedPromptsRow.model == own.model)
    allowed = set(session.scalars(prompted))
    plain = own.fingerprint if own.beside is None else own.beside
    move = session.scalar(select(ReEmbeddingRow))
    if move is None or plain not in (move.source, move.target):
        return allowed | {plain}
    if of_classifiers and move.arrived:
        return allowed | {move.target}
    return allowed | {move.source, move.target}


def other_backbone(connection: Connection, what: str, fingerprint: str, own: Origin) -> Exception:
    """The problem that something is stored under another fingerprint than this service's.

    Args:
        connection: Of the transaction that found it.
        what: As the beginning of a sentence, such as ``The classifier 'a' holds``.
        fingerprint: Of the other one.
        own: Of this service.
    """
    row = connection.execute(
        select(*BackboneRow.__table__.columns).where(BackboneRow.fingerprint == fingerprint)
    ).one_or_none()
    other = Origin(fingerprint, "unknown") if row is None else origin_of_row(row)
    return OtherBackbone(_refusal(what, [other], own, "Restart the service"))


def remember(engine: Engine, own: Origin) -> None:
    """Write down which backbone it is that stores under a fingerprint from now on.

    Writes nothing if that is known, so that a service can start on a full disk.
    """
    with engine.connect() as connection:
        row = connection.execute(
            select(*BackboneRow.__table__.columns).where(BackboneRow.fingerprint == own.fingerprint)
        ).one_or_none()
    if row is not None and origin_of_row(row) == own:
        return
    try:
        with writing(engine) as session:
            session.merge(
                BackboneRow(
                    fingerprint=own.fingerprint,
                    name=own.name,
                    adapter=own.adapter,
                    prompts=own.prompts,
                )
            )
    except IntegrityError:
        pass  # a service with the same backbone has just started on the same database


def refused(_: str) -> bool:
    """No fingerprint but the own one is accepted."""
    return False


def _refusal(what: str, others: list[Origin], own: Origin, start: str) -> str:
    others = [replace(other, model=own.model) for other in others]
    told = (
        f"{what} embeddings of the backbone {', '.join(map(str, others))}, which cannot be "
        f"compared with those of {own}. {start} with {others[0].options}, or embed the stored "
        f"images anew with: handful re-embed {own.options}"
    )
    if any(other.options == own.options and other.precision is None for other in others):
        told += (
            ". Both were asked for by the same options: the files that they name, or the version "
            "of Handful, have changed meanwhile"
        )
    return told


def precision_of(fingerprint: str, model: str) -> str | None:
    """The precision of the recipe with this fingerprint; None if it is none of this model's."""
    recipe = recipe_with(fingerprint, model)
    return None if recipe is None else recipe.precision


def origin_of_row(row: Any) -> Origin:
    """What a row of the backbones says."""
    return Origin(row.fingerprint, row.name, row.adapter, row.prompts)
