"""Labelling configurations of projects: which choices of which image people are asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree as ET

# Entities are what XML can grow by; labelling configurations have none.
_DECLARES = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_VARIABLE = re.compile(r"\$([^\s$]+)")
_MOST_CHARACTERS = 2**20
# Elements and attributes, each of which costs microseconds in which no other thread runs: enough
# for as many choices as a classifier may have classes.
_MOST_MARKS = 30_000


class ConfigError(Exception):
    """There is nothing in a configuration that a classifier can answer; the message says why."""


@dataclass(frozen=True, slots=True)
class Control:
    """The ``Choices`` of an ``Image``: what a classifier answers, and learns from.

    Attributes:
        name: Of the control (``from_name`` of a region).
        image: Name of the image (``to_name``).
        key: Of the image in the data of a task.
        multiple: Whether several may be chosen.
        offered: Values that may be chosen; None: they come with each task.
    """

    name: str
    image: str
    key: str
    multiple: bool
    offered: frozenset[str] | None

    def image_of(self, data: object) -> str | None:
        """Where the image of a task is; None: its data do not say so."""
        found = data.get(self.key) if isinstance(data, Mapping) else None
        return found if isinstance(found, str) and found else None

    def choices_in(self, result: object) -> list[str]:
        """What was chosen, of the regions of an annotation, each value once."""
        chosen: list[str] = []
        for region in result if isinstance(result, list) else ():
            if not isinstance(region, Mapping) or region.get("type") != "choices":
                continue
            if region.get("from_name") == self.name and isinstance(region.get("value"), Mapping):
                values = region["value"].get("choices")
                if isinstance(values, list):
                    chosen += [one for one in values if isinstance(one, str)]
        return list(dict.fromkeys(chosen))

    def chosen(self, labels: list[str]) -> list[dict[str, Any]]:
        """The regions of a prediction of these labels: one, or none where none is offered."""
        given = [one for one in labels if self.offered is None or one in self.offered]
        if not given:
            return []
        if not self.multiple:
            given = given[:1]
        return [
            {
                "from_name": self.name,
                "to_name": self.image,
                "type": "choices",
                "value": {"choices": given},
            }
        ]


@lru_cache(maxsize=16)
def control_of(config: str) -> Control:
    """The first ``Choices`` of an ``Image`` in a labelling configuration.

    Raises:
        ConfigError: There is none, or it cannot be read.
    """
    marks = config.count("<") + config.count("=")
    if len(config) > _MOST_CHARACTERS or marks > _MOST_MARKS or _DECLARES.search(config):
        raise ConfigError("The labelling configuration is too long, or declares entities.")
    try:
        root = ET.fromstring(config)  # noqa: S314 - nothing is declared in it
    except (ET.ParseError, ValueError) as error:
        raise ConfigError(f"The labelling configuration is no XML: {error}.") from error
    images = {
        one.get("name"): found[1]
        for one in root.iter("Image")
        if (found := _VARIABLE.fullmatch(one.get("value") or "")) is not None
    }
    for choices in root.iter("Choices"):
        image = choices.get("toName")
        if image in images and (name := choices.get("name")):
            return Control(
                name,
                str(image),
                images[image],
                choices.get("choice") == "multiple",
                None if "value" in choices.attrib else _offered(choices),
            )
    raise ConfigError(
        "The labelling configuration has no Choices of an Image. Give it both, such as"
        ' <Image name="image" value="$image"/> and <Choices name="choice" toName="image">.'
    )


def _offered(choices: ET.Element) -> frozenset[str]:
    """Values of its own choices; those within others stand for paths of several."""
    values = (one.get("alias") or one.get("value") for one in choices.findall("Choice"))
    return frozenset(value for value in values if value)
