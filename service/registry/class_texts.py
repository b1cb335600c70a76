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
        prompts: Fingerprint of embeddings under the classifier's prompts; None: it has none.
    """

    def __init__(
        self, templates: tuple[str, ...], labels: Sequence[str], prompts: str | None = None
    ) -> None:
        super().__init__(f"{len(labels)} class names are to be embedded")
        self.templates = templates
        self.labels = labels
        self.prompts = prompts


@dataclass(frozen=True, slots=True)
class ClassTexts:
    """(d,) unit text embeddings of class names under one set of templates, by one text tower."""

    templates: tuple[str, ...] = ()
    rows: Mapping[str, Tensor] = field(default_factory=dict)
    prompts: str | None = None

    @classmethod
    def of(cls, needed: TextsNeeded, rows: Iterable[Tensor]) -> ClassTexts:
        """Those that were needed, in their order."""
        return cls(needed.templates, dict(zip(needed.labels, rows, strict=True)), needed.prompts)

    def with_more(self, more: ClassTexts) -> ClassTexts:
        """Both, or the other ones alone if the templates or the prompts have changed."""
        if (more.templates, more.prompts) != (self.templates, self.prompts):
            return more
        return ClassTexts(self.templates, {**self.rows, **more.rows}, self.prompts)

    def under(
        self, settings: ClassifierSettings, labels: Sequence[str], fingerprint: str
    ) -> Sequence[Tensor | None]:
        """The embedding of each label; None where names carry no meaning.

        Args:
            settings: Of the classifier.
            labels: Names of classes.
            fingerprint: Of what the classifier's embeddings come from.

        Raises:
            TextsNeeded: Some are not here.
        """
        if not settings.names_carry_meaning:
            return [None] * len(labels)
        prompts = None if settings.prompts is None else fingerprint
        same = (self.templates, self.prompts) == (settings.templates, prompts)
        rows = self.rows if same else {}
        if missing := [label for label in labels if label not in rows]:
            raise TextsNeeded(settings.templates, missing, prompts)
        return [rows[label] for label in labels]
