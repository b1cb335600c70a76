"""Text embeddings of class names, made before the change that needs them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from service.classifier_settings import ClassifierSettings


class TextsNeeded(Exception):
    """A change needs text embeddings that were not given; nothing was done yet.

    Whoever makes the change embeds them, outside of all locks, and makes it again (optimistic
    concurrency: meanwhile others may have added classes, or changed the templates).

    Attributes:
        templates: The classifier's; the backbone's own if empty.
        labels: Names of classes.
    """

    def __init__(self, templates: tuple[str, ...], labels: Sequence[str]) -> None:
        super().__init__(f"{len(labels)} class names are to be embedded")
        self.templates = templates
        self.labels = labels


@dataclass(frozen=True, slots=True)
class ClassTexts:
    """(d,) unit text embeddings of class names under one set of templates."""

    templates: tuple[str, ...] = ()
    rows: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, needed: TextsNeeded, rows: Iterable[Tensor]) -> ClassTexts:
        """Those that were needed, in their order."""
        return cls(needed.templates, dict(zip(needed.labels, rows, strict=True)))

    def with_more(self, more: ClassTexts) -> ClassTexts:
        """Both, or the other ones alone if the templates have changed."""
        if more.templates != self.templates:
            return more
        return ClassTexts(self.templates, {**self.rows, **more.rows})

    def under(self, settings: ClassifierSettings, labels: Sequence[str]) -> Sequence[Tensor | None]:
        """The embedding of each label; None where names carry no meaning.

        Raises:
            TextsNeeded: Some are not here.
        """
        if not settings.names_carry_meaning:
            return [None] * len(labels)
        rows = self.rows if self.templates == settings.templates else {}
        if missing := [label for label in labels if label not in rows]:
            raise TextsNeeded(settings.templates, missing)
        return [rows[label] for label in labels]
