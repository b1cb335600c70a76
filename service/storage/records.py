"""What storage hands out: plain values, detached from any session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from torch import Tensor

from adapters.embeddings import ImageEmbeddings
from adapters.heads import DEFAULT_HEAD, Tuning


@dataclass(frozen=True, slots=True)
class ClassifierSettings:
    """How a classifier answers.

    Attributes:
        method: Name of the head, a key of ``adapters.heads.HEADS``.
        templates: Prompt templates with ``{}`` for the class name; the backbone's own if empty.
        names_carry_meaning: Whether class names take part, as the zero-shot term.
        false_rejection_rate: Share of images of the classes that may be called unknown.
        coverage: How often prediction sets should hold the true class; None: no sets.
    """

    method: str = DEFAULT_HEAD
    templates: tuple[str, ...] = ()
    names_carry_meaning: bool = True
    false_rejection_rate: float = 0.05
    coverage: float | None = None


@dataclass(frozen=True, slots=True)
class ClassRecord:
    """A class; ``text`` is the (d,) unit embedding of its name, where names carry meaning."""

    id: int
    label: str
    created_at: datetime
    text: Tensor | None = None


@dataclass(frozen=True, slots=True)
class SupportRecord:
    """A support image without its pixels."""

    id: int
    public_id: str
    class_id: int
    filename: str
    sha256: str
    media_type: str
    width: int
    height: int
    created_at: datetime


class State(NamedTuple):
    """A state of a classifier.

    Attributes:
        id: Of the classifier; given again once it is deleted.
        created_at: To the microsecond, which tells those of one id apart.
        revision: One more with each change.
    """

    id: int
    created_at: datetime
    revision: int

    def includes(self, other: State) -> bool:
        """Whether this is ``other``, or one that came of it."""
        return self[:2] == other[:2] and self.revision >= other.revision


@dataclass(frozen=True, slots=True)
class ClassifierRecord:
    """A classifier as listed.

    Attributes:
        backbone: Name of the one that embedded it.
        problem: Why it cannot answer, if it cannot; settings and tuning are the defaults then.
    """

    id: int
    name: str
    settings: ClassifierSettings
    tuning: Tuning
    created_at: datetime
    updated_at: datetime
    n_classes: int
    n_images: int
    revision: int = 0
    backbone: str = ""
    problem: str | None = None

    @property
    def state(self) -> State:
        """Which state of which classifier this is."""
        return State(self.id, self.created_at, self.revision)


@dataclass(frozen=True, slots=True)
class StoredClassifier:
    """A classifier with all that it needs to answer.

    Attributes:
        support: In the order of ``embeddings``' rows.
    """

    record: ClassifierRecord
    classes: list[ClassRecord]
    support: list[SupportRecord]
    embeddings: ImageEmbeddings


@dataclass(frozen=True, slots=True)
class NewImage:
    """A support image to be written.

    Attributes:
        content: Gives its bytes; None where images are not kept.
        embeddings: One row.
    """

    public_id: str
    label: str
    filename: str
    sha256: str
    media_type: str
    width: int
    height: int
    content: Callable[[], bytes] | None
    embeddings: ImageEmbeddings


@dataclass(frozen=True, slots=True)
class Written:
    """The identifiers that a write gave to new classes and images, in their order.

    Attributes:
        revision: Of the classifier after the write.
    """

    revision: int
    classes: list[ClassRecord] = field(default_factory=list)
    support: list[SupportRecord] = field(default_factory=list)
