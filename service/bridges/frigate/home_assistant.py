"""Home Assistant's MQTT discovery: a sensor for each camera and classifier.

Written from its documentation of ``mqtt`` ("MQTT discovery") and ``sensor.mqtt``. All messages are
retained: a broker gives them to whoever comes later.
"""

from __future__ import annotations

import json

from service.bridges.frigate.recognition import Recognised
from service.installation import installed


def availability_topic(prefix: str) -> str:
    """Where ``online`` and ``offline`` are said."""
    return f"{prefix}/availability"


def state_topic(prefix: str, camera: str, classifier: str) -> str:
    """Where what was last recognised is said."""
    return f"{prefix}/{camera}/{classifier}"


def discovery(discovery_prefix: str, prefix: str, camera: str, classifier: str) -> tuple[str, str]:
    """Topic and payload by which Home Assistant makes a sensor of a camera and a classifier."""
    # Ids in topics are of letters, digits, _ and - there, where a classifier may have dots.
    sensor = f"{camera}_{classifier}".replace(".", "-dot-")
    node = prefix.replace("/", "_").replace(".", "-dot-")
    state, version = state_topic(prefix, camera, classifier), installed("handful")
    document = {
        "name": classifier,
        "unique_id": f"{node}_{sensor}",
        "state_topic": state,
        "value_template": "{{ value_json.label }}",
        "json_attributes_topic": state,
        "availability_topic": availability_topic(prefix),
        "payload_available": "online",
        "payload_not_available": "offline",
        "icon": "mdi:tag-text-outline",
        "device": {
            "identifiers": [f"{node}_{camera}"],
            "name": f"Handful {camera}",
            "manufacturer": "Handful",
            "model": "Frigate bridge",
            "sw_version": version,
        },
        "origin": {"name": "Handful", "sw_version": version},
    }
    topic = f"{discovery_prefix}/sensor/{_node(node)}/{sensor}/config"
    return topic, json.dumps(document, ensure_ascii=False)


def state(prefix: str, said: Recognised) -> tuple[str, str]:
    """Topic and payload of what was recognised."""
    document = {
        "label": said.answer.label,
        "score": round(said.answer.probability, 4),
        "object": said.tracked.label,
        "event_id": said.tracked.id,
    }
    topic = state_topic(prefix, said.tracked.camera, said.classifier)
    return topic, json.dumps(document, ensure_ascii=False)


def _node(name: str) -> str:
    return "".join(one if one.isascii() and (one.isalnum() or one in "_-") else "-" for one in name)
