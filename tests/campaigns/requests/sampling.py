"""Values of a JSON schema, of which most are valid: drawn from its examples, bounds and kinds."""

from __future__ import annotations

import base64
import random
from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

# Levels of a value; what is optional is left out below.
_DEEPEST = 5
_LONGEST = 3


class Sampler:
    """Draws values.

    Args:
        document: The OpenAPI document, which references are into.
        named: Values of what has one of these names, whatever its schema says.
        images: What strings of bytes are.
    """

    def __init__(
        self, document: Json, named: Mapping[str, Sequence[Any]], images: Sequence[bytes]
    ) -> None:
        self._document, self._named = document, named
        self._images = [base64.b64encode(one).decode() for one in images]

    def value(self, schema: Json, draw: random.Random, name: str = "", depth: int = 0) -> Any:
        """A value of a schema.

        Args:
            schema: Or a reference to one.
            draw: Decides.
            name: Of the member or parameter that it is for.
            depth: Of the value in its document.
        """
        if name in self._named and draw.random() < 0.9:
            return draw.choice(self._named[name])
        while "$ref" in schema:
            schema = self._referred(schema["$ref"])
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return draw.choice(schema["enum"])
        if "examples" in schema and draw.random() < 0.5:
            return draw.choice(_listed(schema["examples"]))
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return self.value(draw.choice(schema[several]), draw, name, depth)
        if "allOf" in schema:
            merged: dict[str, Any] = {}
            for one in schema["allOf"]:
                merged |= self._referred(one["$ref"]) if "$ref" in one else one
            return self.value(merged, draw, name, depth)
        kind = schema.get("type", "string")
        if isinstance(kind, list):
            kind = draw.choice(kind)
        return self._of_kind(kind, schema, draw, name, depth)

    def _of_kind(self, kind: str, schema: Json, draw: random.Random, name: str, depth: int) -> Any:
        match kind:
            case "object":
                return self._object(schema, draw, depth)
            case "array":
                count = draw.randrange(schema.get("minItems", 0), _LONGEST + 1)
                inner = schema.get("items", {})
                return [self.value(inner, draw, "", depth + 1) for _ in range(count)]
            case "integer":
                return draw.randint(*_bounds(schema))
            case "number":
                low, high = _bounds(schema)
                return draw.choice((low, high, draw.uniform(low, high)))
            case "boolean":
                return draw.random() < 0.5
            case "null":
                return None
        if schema.get("contentEncoding") == "base64" or name in {"data", "image", "inputs"}:
            return draw.choice(self._images)
        if schema.get("format") == "date-time":
            return "2026-01-01T12:00:00Z"
        return draw.choice(("ant", "bee", "a photo of a {}.", "x" * draw.randrange(1, 30)))

    def _object(self, schema: Json, draw: random.Random, depth: int) -> dict[str, Any]:
        needed = schema.get("required", ())
        likely = 0.5 if depth < _DEEPEST else 0
        return {
            name: self.value(inner, draw, name, depth + 1)
            for name, inner in schema.get("properties", {}).items()
            if name in needed or draw.random() < likely
        }

    def _referred(self, reference: str) -> Json:
        found: Any = self._document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        result: Json = found
        return result


def _listed(examples: Any) -> list[Any]:
    if isinstance(examples, Mapping):  # of parameters, each with its value
        return [one["value"] for one in examples.values()]
    return list(examples)


def _bounds(schema: Json) -> tuple[int, int]:
    low = int(schema.get("minimum", schema.get("exclusiveMinimum", 0)))
    high = int(schema.get("maximum", schema.get("exclusiveMaximum", low + 10)))
    return low, min(high, low + 20)
