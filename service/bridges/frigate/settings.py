"""Settings of the bridge, read from the environment as ``HANDFUL_...``, or from files it names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from service.bridges.frigate.tracked_objects import CAMERA
from service.environment import EnvironmentSettings
from service.hosts import split
from service.name_validation import checked_classifier
from service.problems import InvalidName

PORTS = {"mqtt": 1883, "mqtts": 8883}
_TOPIC = re.compile(r"[^\x00-\x20+#$/]+(/[^\x00-\x20+#/]+)*")


def _broker(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(f"{value!r} is no broker: write mqtt://HOST:PORT, or mqtts:// for TLS")
    if parts.username is not None:
        raise ValueError(
            "names and passwords stand in HANDFUL_MQTT_USERNAME and HANDFUL_MQTT_PASSWORD"
        )
    _ = parts.port  # raises where it is none
    return value


def _http(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("that is no URL of a service; write http://HOST:PORT")
    return value.rstrip("/")


def _topic(value: str) -> str:
    if len(value) > 200 or not _TOPIC.fullmatch(value):
        raise ValueError(f"{value!r} cannot begin topics: write names with slashes between them")
    return value


def _camera(value: str) -> str:
    if not re.fullmatch(CAMERA, value):
        raise ValueError(f"{value!r} names no camera of Frigate")
    return value


def _pairs(value: Any) -> Any:
    """``person=visitors, bird=birds`` as a mapping."""
    listed = split(value)
    if not isinstance(listed, list):
        return listed
    pairs = [one.partition("=") for one in listed]
    if strange := [
        one for one, pair in zip(listed, pairs, strict=True) if not pair[0] or not pair[2]
    ]:
        raise ValueError(f"{strange[0]!r} is no pair; write LABEL=CLASSIFIER, as person=visitors")
    found = {label.strip(): name.strip() for label, _, name in pairs}
    if len(found) < len(pairs):
        raise ValueError("a label is given two classifiers; write each once")
    return found


def _names(value: Mapping[str, str]) -> Mapping[str, str]:
    if not value:
        raise ValueError("none is given; write LABEL=CLASSIFIER, as person=visitors")
    for name in value.values():
        try:
            checked_classifier(name)
        except InvalidName as error:
            raise ValueError(error.detail) from error
    return value


Topic = Annotated[str, AfterValidator(_topic)]


class BridgeSettings(EnvironmentSettings):
    """Settings of the bridge; options of the command win over the environment."""

    url: Annotated[str, AfterValidator(_http)] = "http://127.0.0.1:8000"
    key: SecretStr | None = None
    mqtt_url: Annotated[str, AfterValidator(_broker)] = "mqtt://127.0.0.1:1883"
    mqtt_username: str | None = None
    mqtt_password: SecretStr | None = None
    mqtt_topic: Topic = "handful"
    frigate_url: Annotated[str, AfterValidator(_http)] = "http://127.0.0.1:5000"
    frigate_topic: Topic = "frigate"
    frigate_classifiers: Annotated[
        Mapping[str, str], NoDecode, BeforeValidator(_pairs), AfterValidator(_names)
    ]
    frigate_cameras: Annotated[
        list[Annotated[str, AfterValidator(_camera)]], NoDecode, BeforeValidator(split)
    ] = Field([])
    frigate_attempts: int = Field(3, ge=1, le=16)
    frigate_agreement: float = Field(0.6, gt=0, le=1)
    homeassistant_topic: Topic = "homeassistant"
