"""OpenAPI links: which operations an answer leads to, and which of its values they take."""

from __future__ import annotations

from typing import Any

_NAME = {"name": "$request.path.name"}
_CLASS = {**_NAME, "label": "$response.body#/label"}
_IMAGE = {
    **_NAME,
    "label": "$response.body#/images/0/label",
    "image_id": "$response.body#/images/0/id",
}
_OF_CLASSIFIER = (
    "get_classifier",
    "delete_classifier",
    "list_classes",
    "put_class",
    "post_support",
    "post_images",
    "predict",
    "suggest_images",
    "get_report",
    "export_classifier",
)

# By the operation that answers: the operations that follow, with their parameters.
_LINKS: dict[str, dict[str, dict[str, str]]] = {
    "put_classifier": dict.fromkeys(_OF_CLASSIFIER, _NAME),
    "import_classifier": dict.fromkeys(_OF_CLASSIFIER, _NAME),
    "put_class": dict.fromkeys(("get_class", "delete_class", "post_images", "predict"), _CLASS),
    "post_images": dict.fromkeys(("get_image", "delete_image", "get_class"), _IMAGE)
    | dict.fromkeys(("predict", "get_report"), _NAME),
    "post_support": dict.fromkeys(("get_image", "delete_image", "get_class"), _IMAGE)
    | dict.fromkeys(("predict", "get_report"), _NAME),
}
# Operations that a job may answer, and those that follow then.
_OF_JOBS = ("predict", "post_support")
_JOB_LINKS = {
    follower: {"operationId": follower, "parameters": {"job_id": "$response.body#/id"}}
    for follower in ("get_job", "delete_job", "get_results", "get_events")
}
_PARAMETERS = {
    "get_image": ("name", "label", "image_id"),
    "delete_image": ("name", "label", "image_id"),
    "get_class": ("name", "label"),
    "delete_class": ("name", "label"),
    "post_images": ("name", "label"),
}


def link(operation: dict[str, Any]) -> None:
    """Add to the successful answers of an operation which others follow it."""
    links = {
        follower: {
            "operationId": follower,
            "parameters": {
                name: value
                for name, value in values.items()
                if name in _PARAMETERS.get(follower, ("name",))
            },
        }
        for follower, values in _LINKS.get(operation["operationId"], {}).items()
    }
    if operation["operationId"] in _OF_JOBS:
        operation["responses"]["202"]["links"] = _JOB_LINKS
    for status, answer in operation["responses"].items():
        if links and status.startswith("2") and "links" not in answer:
            answer["links"] = links
