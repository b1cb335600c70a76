"""Definitions: the changes that declare classes, or give a classifier other settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from adapters.encoder import Encoder
from service.classifier_settings import ClassifierSettings
from service.registry.basis import Basis
from service.registry.class_texts import ClassTexts
from service.registry.limits import SizeLimits
from service.storage.change import Change, NewClass
from service.storage.records import ClassRecord


@dataclass(frozen=True, slots=True)
class Definitions:
    """What classes become under settings, within limits; changes nothing.

    Attributes:
        limits: How large a classifier may be.
        backbone: Whose templates count where settings have none.
    """

    limits: SizeLimits
    backbone: Encoder

    def new_classes(
        self,
        settings: ClassifierSettings,
        labels: Sequence[str],
        already: int,
        texts: ClassTexts,
        fingerprint: str,
    ) -> tuple[NewClass, ...]:
        """Classes to be declared, with what their names mean.

        Args:
            settings: Of the classifier.
            labels: Of the classes.
            already: How many others it has.
            texts: Of their names.
            fingerprint: Of what the classifier's embeddings come from.

        Raises:
            RequestTooLarge: There would be too many classes, or classes times templates.
            TextsNeeded: ``texts`` lacks some.
        """
        if not labels:
            return ()
        self.check_size(settings, already + len(labels))
        embedded = texts.under(settings, labels, fingerprint)
        return tuple(
            NewClass(label=label, text=text) for label, text in zip(labels, embedded, strict=True)
        )

    def redefinition(
        self,
        basis: Basis,
        settings: ClassifierSettings,
        labels: Sequence[str],
        texts: ClassTexts,
        fingerprint: str,
    ) -> Change:
        """The change to these settings, with those labels declared that are not there yet.

        The embeddings of images are renewed apart where ``fingerprint`` is another one than before.

        Raises as :meth:`new_classes`.
        """
        fresh, old = basis.fresh(labels), basis.records
        renewed: tuple[ClassRecord, ...] = ()
        before = basis.settings
        if (settings.templates, settings.names_carry_meaning, settings.prompts) != (
            before.templates,
            before.names_carry_meaning,
            before.prompts,
        ):
            # All at once, so that they are embedded by one request for them.
            self.check_size(settings, len(old) + len(fresh))
            texts.under(settings, [*old, *fresh], fingerprint)
            embedded = texts.under(settings, list(old), fingerprint)
            renewed = tuple(
                replace(record, text=text)
                for record, text in zip(old.values(), embedded, strict=True)
            )
        new = self.new_classes(settings, fresh, len(old), texts, fingerprint)
        return Change(settings=settings, classes_added=new, classes_renewed=renewed)

    def check_size(self, settings: ClassifierSettings, classes: int) -> None:
        """See that a classifier may have so many classes.

        Raises:
            RequestTooLarge: It may not.
        """
        self.limits.check(classes, settings, self.backbone)
