"""What an encoder process says of its backbone, as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

from PIL import Image

from adapters.backbones import Backbone
from adapters.backbones.geometry import described_geometry
from adapters.recipe import Precision, Recipe, Resizing

_ANY_TEMPLATE = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What whoever encodes elsewhere has to know of a backbone.

    Most are attributes of :class:`adapters.backbones.Backbone`.

    Attributes:
        fixed_templates: Whether its own templates are used whatever others are asked for.
        geometry: How pictures are resized and cropped.
        height: Pixels of a picture.
        breadth: Pixels of a picture.
        encoders: How many processes encode with this backbone, each on a device of its own.
    """

    name: str
    model_fingerprint: str
    fingerprint: str
    precision: Precision
    resizing: Resizing
    logit_scale: float
    width: int
    corrected_width: int
    templates: tuple[str, ...]
    fixed_templates: bool
    correction: str
    joint: bool
    engine: str
    passes: int
    batch: int
    device: str
    geometry: dict[str, Any]
    height: int
    breadth: int
    encoders: int

    @classmethod
    def of(cls, backbone: Backbone, batch: int, encoders: int) -> Self:
        """Describe a backbone that encodes so many images in a pass.

        Raises:
            BackboneError: Its preprocessing cannot be described.
        """
        height, breadth = backbone.framing(Image.new("RGB", (64, 64))).shape[:2]
        return cls(
            name=backbone.name,
            model_fingerprint=backbone.model_fingerprint,
            fingerprint=backbone.fingerprint,
            precision=backbone.recipe.precision,
            resizing=backbone.recipe.resizing,
            logit_scale=backbone.logit_scale,
            width=backbone.width,
            corrected_width=backbone.corrected_width,
            templates=tuple(backbone.templates),
            fixed_templates=backbone.templates_for([_ANY_TEMPLATE]) != (_ANY_TEMPLATE,),
            correction=backbone.correction.name,
            joint=backbone.correction.joint,
            engine=backbone.engine,
            passes=backbone.passes,
            batch=batch,
            device=str(backbone.device),
            geometry=described_geometry(backbone.framing),
            height=height,
            breadth=breadth,
            encoders=encoders,
        )

    @property
    def recipe(self) -> Recipe:
        """How images are embedded."""
        return Recipe(self.precision, self.resizing)

    @property
    def connections(self) -> int:
        """Connections for images of each process: one more than passes overlap."""
        return self.passes + 1

    def to_json(self) -> bytes:
        """Write it."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, written: bytes) -> Self:
        """Read it."""
        read = json.loads(written)
        return cls(**read | {"templates": tuple(read["templates"])})
