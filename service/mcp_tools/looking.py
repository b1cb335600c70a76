"""Tools that look at classifiers: which there are, how good they are, what was changed."""

from __future__ import annotations

from typing import Annotated

from handful_client import AsyncClassifier
from handful_client.models import (
    ClassifierOut,
    ClassReport,
    LabelReport,
    PastChangeOut,
    ReportOut,
)
from mcp_types import CallToolResult
from pydantic import Field

from service.mcp_tools.answers import (
    ClassifierDescription,
    ClassifierSummaries,
    ClassifierSummary,
    ClassResult,
    ClassSize,
    Confused,
    History,
    PastChange,
    Report,
    Suspicious,
    answered,
    listed,
)
from service.mcp_tools.arguments import Call, ClassifierName
from service.mcp_tools.calling import Tools

_NOTES, _CLASSES, _WORST = 200, 200, 20


class LookingTools(Tools):
    """Tools that change nothing and take no images."""

    async def list_classifiers(
        self,
        call: Call,
        prefix: Annotated[str, Field(max_length=64, description="Begin of their names.")] = "",
        most: Annotated[int, Field(ge=1, le=200, description="How many at most.")] = 50,
    ) -> Annotated[CallToolResult, ClassifierSummaries]:
        """List the image classifiers that there are, with their size and accuracy."""
        found: list[ClassifierSummary] = []
        more = False
        async with self.client(call) as client:
            async for one in client.classifiers(prefix=prefix):
                if more := len(found) == most:
                    break
                found.append(ClassifierSummary.model_validate(_summary(one)))
        return answered(ClassifierSummaries(classifiers=found, more=more))

    async def describe_classifier(
        self, call: Call, classifier: ClassifierName
    ) -> Annotated[CallToolResult, ClassifierDescription]:
        """Describe one classifier: its classes, how many images each has, and its settings."""
        async with self.classifier(call, classifier) as asked:
            one = await asked.get()
            classes = (await asked.classes())[:_CLASSES]
        return answered(
            ClassifierDescription.model_validate(
                {
                    **_summary(one),
                    "classes": [ClassSize(label=c.label, n_images=c.n_images) for c in classes],
                    "multi_label": one.multi_label,
                    "coverage": one.coverage,
                    "false_rejection_rate": one.false_rejection_rate,
                }
            )
        )

    async def report(
        self,
        call: Call,
        classifier: ClassifierName,
        picture: Annotated[bool, Field(description="Whether to show the report picture.")] = True,
    ) -> Annotated[CallToolResult, Report]:
        """Tell how good a classifier is, which classes it confuses, and what would improve it.

        Every registered image is named by the others. Suspects may be mislabelled: ask a person to
        look at them.
        """
        async with self.classifier(call, classifier) as asked:
            if (await asked.get()).multi_label:
                return answered(await _of_labels(asked))
            told = await asked.report()
            pictures = [await asked.report_file("png")] if picture else []
        return answered(_of_classes(told), pictures, "image/png")

    async def history(
        self,
        call: Call,
        classifier: ClassifierName,
        most: Annotated[int, Field(ge=1, le=100, description="Changes at most.")] = 10,
    ) -> Annotated[CallToolResult, History]:
        """List what was changed of a classifier, the last change first."""
        changes: list[PastChange] = []
        more = False
        async with self.classifier(call, classifier) as asked:
            async for one in asked.history():
                if more := len(changes) == most:
                    break
                changes.append(PastChange(revision=one.revision, at=one.at, what=_what(one)))
        return answered(History(classifier=classifier, changes=changes, more=more))


def _summary(one: ClassifierOut) -> dict[str, object]:
    return {
        "name": one.name,
        "n_classes": one.n_classes,
        "n_images": one.n_images,
        "accuracy": one.tuning.accuracy,
        "notes": one.notes[:_NOTES],
        "problem": one.problem,
    }


def _of_classes(told: ReportOut) -> Report:
    judged = [one for one in told.classes if one.accuracy is not None]
    worst = sorted(judged, key=lambda one: one.accuracy or 0.0)[:_WORST]
    return Report(
        classifier=told.classifier,
        n_classes=told.n_classes,
        n_images=told.n_images,
        accuracy=told.accuracy,
        advice=told.advice.text,
        worst_classes=[_result(one) for one in worst],
        confusions=[
            Confused(label=one.label, named=one.named, count=one.count)
            for one in told.confusions[:_WORST]
        ],
        n_suspects=told.n_suspects,
        suspects=[
            Suspicious(
                image_id=one.image_id,
                filename=one.filename,
                label=one.label,
                named=one.named,
                probability=one.probability,
            )
            for one in told.suspects[:_WORST]
        ],
        n_near_copies=told.n_redundant,
        shift=None if told.shift is None else told.shift.detail,
    )


async def _of_labels(asked: AsyncClassifier) -> Report:
    told = await asked.label_report()
    worst = sorted(
        (one for one in told.classes if one.f1 is not None), key=lambda one: one.f1 or 0.0
    )
    return Report(
        classifier=told.classifier,
        n_classes=told.n_classes,
        n_images=told.n_images,
        accuracy=told.f1,
        advice="Images may have several labels: accuracies are F1 scores, and nothing is confused.",
        worst_classes=[_result(one) for one in worst[:_WORST]],
        confusions=[],
        n_suspects=0,
        suspects=[],
        n_near_copies=0,
        shift=None,
    )


def _result(one: ClassReport | LabelReport) -> ClassResult:
    if isinstance(one, LabelReport):
        return ClassResult(
            label=one.label, n_images=one.n_images, accuracy=one.f1, confused_with=None
        )
    return ClassResult(
        label=one.label,
        n_images=one.n_images,
        accuracy=one.accuracy,
        confused_with=one.confused_with,
    )


def _what(one: PastChangeOut) -> str:
    """A change in a sentence."""
    parts = [one.what]
    if one.reverted_to is not None:
        parts.append(f"undone to revision {one.reverted_to}")
    if one.images_added:
        parts.append(f"{one.images_added} images added")
    if one.images_removed:
        parts.append(f"{one.images_removed} images removed")
    if one.n_classes_added:
        parts.append(f"classes added: {listed(one.classes_added)}")
    if one.n_classes_removed:
        parts.append(f"classes removed: {listed(one.classes_removed)}")
    parts += [f"class {old!r} renamed to {new!r}" for old, new in one.classes_renamed.items()][:20]
    if one.settings:
        parts.append("settings changed")
    return "; ".join(parts)
