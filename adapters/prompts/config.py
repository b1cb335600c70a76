"""The settings of learned prompts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_type_hints

MOST_CHARACTERS, MOST_PLACES = 500, 5
"""Of a template: tokenizers take longer than linear time for a long word."""


@dataclass(frozen=True, slots=True)
class CommaConfig:
    """Settings of learned prompts: their shape, and what they are trained for.

    The defaults are those of the authors for ViT-B/16 (Hu et al., AAAI 2024).

    Attributes:
        length: n, prompt tokens in each prompted layer of each tower.
        depth: Prompted layers of each tower, counted from the first.
        weight: w, of the discrepancy between learned and hand-written texts in the loss.
        last_layers: S, text layers whose tokens are compared for the discrepancy.
        template: The hand-written prompt, with ``{}`` for the class name. Its first n tokens
            are what the learned ones begin with and take the place of.

    Raises:
        ValueError: A setting is out of its range; the message says which and what it may be.
    """

    length: int = 2
    depth: int = 9
    weight: float = 1.0
    last_layers: int = 1
    template: str = "a photo of a {}."

    def __post_init__(self) -> None:
        for name in ("length", "depth", "last_layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, not {getattr(self, name)}")
        if not 0 <= self.weight < float("inf"):
            raise ValueError(f"weight is a finite number of at least 0, not {self.weight}")
        if "{}" not in self.template:
            raise ValueError(f"the template {self.template!r} has no {{}} for the class name")
        if len(self.template) > MOST_CHARACTERS or self.template.count("{}") > MOST_PLACES:
            raise ValueError(
                f"a template has at most {MOST_CHARACTERS} characters and {MOST_PLACES} places {{}}"
            )
        self.template.encode()  # half of a surrogate pair is no text

    def text(self, name: str) -> str:
        """The hand-written text of a class."""
        return self.template.replace("{}", name)

    def as_dict(self) -> dict[str, object]:
        """The settings as JSON can hold them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, object]) -> CommaConfig:
        """The settings from what `as_dict` gave.

        Raises:
            ValueError: A setting is unknown, missing, of another type or out of its range.
        """
        types = get_type_hints(cls)
        if set(fields) != set(types):
            raise ValueError(f"prompts have the settings {sorted(types)}, not {sorted(fields)}")
        for name, value in fields.items():
            if type(value) is not types[name]:
                raise ValueError(f"{name} is {value!r}, no {types[name].__name__}")
        return cls(**fields)  # type: ignore[arg-type]  # checked above
