"""What a classifier's file holds, as plain values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from torch import Tensor

from adapters.embeddings import ImageEmbeddings
from adapters.heads import Tuning
from service.classifier_settings import ClassifierSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What the embeddings come from.

    Attributes:
        fingerprint: Of the backbone; by this alone embeddings may meet or not.
        name: The backbone as it was asked for.
        adapter: File name of the trained adapter; None: the backbone's own, if any.
        prompts: File name of the trained prompts; None: none.
    """

    fingerprint: str
    name: str
    adapter: str | None = None
    prompts: str | None = None

    def __str__(self) -> str:
        parts = [f"{self.fingerprint[:12]}..."]
        parts += [f"adapter {self.adapter}"] if self.adapter else []
        parts += [f"prompts {self.prompts}"] if self.prompts else []
        return f"{self.name} ({', '.join(parts)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningState:
    """Whether the tuning is that of the support set.

    Attributes:
        is_current: Whether it is; otherwise images came or went since.
        since: Since when; None: not known.
        images_behind: Images added and removed since the tuning.
    """

    is_current: bool = True
    since: datetime | None = None
    images_behind: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedClass:
    """A class; ``created_at`` is None where nobody kept it."""

    label: str
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedImage:
    """A support image, without its embeddings and its bytes.

    Attributes:
        id: By which the API names it.
        label: Of its class.
        filename: As it was uploaded.
        sha256: Of its bytes.
        media_type: Of the file.
        width: Of the picture, upright.
        height: Of the picture, upright.
        created_at: When it was registered.
    """

    id: str
    label: str
    filename: str
    sha256: str
    media_type: str
    width: int
    height: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedClassifier:
    """All that a classifier's answers depend on, but for the backbone.

    Attributes:
        source: Whose embeddings these are.
        settings: Of the classifier.
        tuning: What leave-one-out has set.
        tuning_state: Whether that is current.
        classes: The N classes, in the order of their registration.
        texts: (N, d) unit text embeddings of the classes; None where names carry no meaning.
        labels: (n,) int64 positions of the support images' classes in ``classes``.
        embeddings: Of the n support images.
        images: The support images, in the order of ``embeddings``' rows; None where nothing but
            their embeddings is known.
    """

    source: Source
    settings: ClassifierSettings
    tuning: Tuning
    tuning_state: TuningState
    classes: Sequence[ExportedClass]
    texts: Tensor | None
    labels: Tensor
    embeddings: ImageEmbeddings
    images: Sequence[ExportedImage] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierFile:
    """A classifier's file, open: checked whole, but for the bytes of images.

    Attributes:
        classifier: What it holds.
        kept: SHA-256 of the images whose bytes it holds.
        content: The bytes of one of these; checked as they are read. Thread-safe.
    """

    classifier: ExportedClassifier
    kept: Collection[str]
    content: Callable[[str], bytes]
