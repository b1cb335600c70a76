"""How large a classifier may be."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.encoder import Encoder
from service.classifier_settings import ClassifierSettings
from service.problems import RequestTooLarge


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeLimits:
    """Bounds of one classifier.

    Attributes:
        max_classes: Most classes.
        max_texts: Most classes times templates.
    """

    max_classes: int
    max_texts: int

    def check(self, classes: int, settings: ClassifierSettings, backbone: Encoder) -> None:
        """See that a classifier may have so many classes under these settings.

        Raises:
            RequestTooLarge: It may not.
        """
        if classes > self.max_classes:
            raise RequestTooLarge(
                f"The classifier would have {classes} classes; at most "
                f"{self.max_classes} are accepted."
            )
        templates = len(backbone.templates_for(settings.templates))
        if settings.names_carry_meaning and classes * templates > self.max_texts:
            raise RequestTooLarge(
                f"The classifier would have {classes} classes times {templates} templates, which "
                f"are {classes * templates} texts to embed; at most {self.max_texts} are "
                f"accepted (HANDFUL_MAX_TEXTS). Use {self.max_texts // classes} templates or "
                "fewer, or fewer classes."
            )
