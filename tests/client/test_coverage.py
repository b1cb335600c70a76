"""The client has a method for every operation of the API."""

from __future__ import annotations

import pytest
from handful_client import AsyncClassifier, AsyncClient, AsyncJob, Classifier, Client, Job

from service.api.app import create_app
from service.settings import Settings

CLIENT = {
    "begin_re_embedding": "begin_re_embedding",
    "cancel_re_embedding": "cancel_re_embedding",
    "create_a_key": "make_key",
    "delete_prompts": "delete_prompts",
    "embed": "embed embed_texts",
    "get_prompts": "get_prompts",
    "get_re_embedding": "re_embedding",
    "get_usage": "usage",
    "healthz": "health",
    "list_classifiers": "classifiers",
    "list_jobs": "jobs",
    "list_prompts": "prompts",
    "list_the_keys": "list_keys",
    "metrics": "metrics",
    "put_prompts": "upload_prompts",
    "read_audit_log": "audit",
    "readyz": "ready",
    "revoke_a_key": "revoke_key",
    "rotate_a_key": "rotate_key",
}
CLASSIFIER = {
    "copy_classifier": "copy",
    "delete_class": "delete_class",
    "delete_classifier": "delete",
    "delete_history": "forget_history",
    "delete_image": "delete_image",
    "delete_images": "delete_images",
    "export_classifier": "export",
    "export_index": "export_index",
    "get_advice": "advice",
    "get_annotations": "annotations",
    "get_class": "get_class",
    "get_class_annotations": "annotations",
    "get_classifier": "get",
    "get_confused": "confused",
    "get_drawing": "report_file",
    "get_history": "history",
    "get_image": "image",
    "get_image_annotations": "annotations",
    "get_map": "map",
    "get_page": "report_file",
    "get_picture": "report_file",
    "get_label_report": "label_report",
    "get_report": "report",
    "get_accuracy": "accuracy",
    "get_remembered": "remembered",
    "get_remembered_image": "remembered_image",
    "get_remembered_thumbnail": "remembered_thumbnail",
    "get_thumbnail": "thumbnail",
    "import_classifier": "import_file",
    "judge": "confirm correct reject forget",
    "list_classes": "classes",
    "merge_classes": "merge_classes",
    "merge_classifier": "merge",
    "move_images": "move_images",
    "list_inbox": "inbox",
    "post_images": "register add",
    "post_support": "register_labelled register_folder add_folder register_job",
    "predict": "predict predictions predict_many predict_job",
    "put_annotations": "annotate",
    "put_class": "put_class",
    "put_class_annotations": "annotate",
    "put_classifier": "put",
    "put_image_annotations": "annotate",
    "rename_class": "rename_class",
    "rename_classifier": "rename",
    "revert": "revert",
    "similar": "similar similar_to_text",
    "suggest_images": "suggest suggest_folder",
}
JOB = {"delete_job": "delete", "get_job": "get wait", "get_results": "results"}
# Told by others: `wait` asks from time to time.
# Undo has no method yet.
# Sessions are browsers': a program sends its key with each request.
WITHOUT = {"get_events", "get_session", "log_in", "log_out"}


def test_every_operation_has_a_method() -> None:
    paths = create_app(Settings()).openapi()["paths"]
    operations = {
        operation["operationId"]
        for item in paths.values()
        for operation in item.values()
        if isinstance(operation, dict)
    }
    missing = operations - CLIENT.keys() - CLASSIFIER.keys() - JOB.keys() - WITHOUT
    assert not missing, "write a method in client/handful_client/_async/, and name it here"
    assert not (CLIENT.keys() | CLASSIFIER.keys() | JOB.keys() | WITHOUT) - operations


@pytest.mark.parametrize(
    ("named", "kinds"),
    [
        (CLIENT, (Client, AsyncClient)),
        (CLASSIFIER, (Classifier, AsyncClassifier)),
        (JOB, (Job, AsyncJob)),
    ],
)
def test_the_methods_are_there(named: dict[str, str], kinds: tuple[type, type]) -> None:
    for kind in kinds:
        for methods in named.values():
            for method in methods.split():
                assert callable(getattr(kind, method))
