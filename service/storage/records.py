"""Records: what storage hands out, plain values detached from any session."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from torch import Tensor

from adapters.embeddings import ImageEmbeddings
from adapters.heads import Tuning
from service.classifier_settings import ClassifierSettings

#: What the ids of images and jobs in answers look like. Whatever else clients send is nobody's, and
#: is not looked up: PostgreSQL refuses what is no text.
PUBLIC_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRecord:
    """A class; ``text`` is the (d,) unit embedding of its name, where names carry meaning."""

    id: int
    label: str
    created_at: datetime
    text: Tensor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
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
    """A state of a classifier: what a change is made for, and compared with when it is written.

    Attributes:
        id: Of the classifier; given again once it is deleted.
        created_at: To the microsecond, which tells those of one id apart.
        revision: One more with each change.
        fingerprint: Of the backbone and the recipe that its embeddings come from.
        content_revision: One more with each change of settings, classes or images; a tuning that
            comes later leaves it as it is.
    """

    id: int
    created_at: datetime
    revision: int
    fingerprint: str
    content_revision: int = 0

    def includes(self, other: State) -> bool:
        """Whether this is ``other``, or one that came of it."""
        return self[:2] == other[:2] and self.revision >= other.revision


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningState:
    """Whether a tuning is of the support set as it is.

    Attributes:
        is_current: Whether it is; otherwise it is stale.
        since: Since when it is so.
        images_behind: How many images were added or removed since it was current.
    """

    is_current: bool
    since: datetime
    images_behind: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierRecord:
    """A classifier as listed.

    Attributes:
        updated_at: When its settings, classes or images were changed last.
        backbone: Name of the one that embedded it.
        problem: Why it cannot answer, if it cannot; settings and tuning are the defaults then.
        annotations: Notes and metadata, as they are stored; None: none.
    """

    id: int
    name: str
    settings: ClassifierSettings
    tuning: Tuning
    tuning_state: TuningState
    created_at: datetime
    updated_at: datetime
    n_classes: int
    n_images: int
    revision: int = 0
    content_revision: int = 0
    fingerprint: str = ""
    backbone: str = ""
    problem: str | None = None
    annotations: dict[str, Any] | None = None

    @property
    def state(self) -> State:
        """Which state of which classifier this is."""
        return State(
            self.id, self.created_at, self.revision, self.fingerprint, self.content_revision
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredClassifier:
    """A classifier with all that it needs to answer.

    Attributes:
        support: In the order of ``embeddings``' rows.
    """

    record: ClassifierRecord
    classes: list[ClassRecord]
    support: list[SupportRecord]
    embeddings: ImageEmbeddings
