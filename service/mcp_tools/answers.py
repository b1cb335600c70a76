"""Answers of the tools: the little of the API's that fits an agent's context.

Lists are cut, and say how many there are; the API has the rest.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated

from mcp_types import CallToolResult, ImageContent, TextContent
from pydantic import AfterValidator, BaseModel, Field

Figure = Annotated[float, AfterValidator(lambda value: round(value, 4))]


class ClassifierSummary(BaseModel):
    """A classifier."""

    name: str
    n_classes: int
    n_images: int
    accuracy: Figure | None = Field(
        description="By naming each support image by the others; null: too few images."
    )
    notes: str = Field(description="What people wrote of it; the first 200 characters.")
    problem: str | None = Field(description="Why it cannot answer, if it cannot.")


class ClassifierSummaries(BaseModel):
    """Classifiers, in the order of their names."""

    classifiers: list[ClassifierSummary]
    more: bool = Field(description="Whether there are more; ask with a prefix.")


class ClassSize(BaseModel):
    """A class and how many images it has."""

    label: str
    n_images: int


class ClassifierDescription(ClassifierSummary):
    """A classifier with its classes."""

    classes: list[ClassSize] = Field(description="In the order of registration, at most 200.")
    multi_label: bool = Field(description="Whether an image may have several labels.")
    coverage: float | None = Field(description="How often a prediction set holds the class.")
    false_rejection_rate: float


class Candidate(BaseModel):
    """A class that the image may be of."""

    label: str
    probability: Figure


class Evidence(BaseModel):
    """A support image that resembles it."""

    image_id: str
    label: str
    similarity: Figure


class Classified(BaseModel):
    """What one image is."""

    image: str
    label: str
    probability: Figure
    known: bool = Field(
        description="Whether it looks like any of the classes. If not, do not rely on the label."
    )
    labels: list[str] | None = Field(description="All labels, of a classifier with several.")
    prediction_set: list[str] | None
    candidates: list[Candidate]
    evidence: list[Evidence]


class Classification(BaseModel):
    """What images are, in their order."""

    classifier: str
    images: list[Classified]


class Reason(BaseModel):
    """What a class's score is made of: the two terms of its logit."""

    label: str
    probability: Figure
    by_name: Figure = Field(description="What the class name contributed.")
    by_images: Figure = Field(description="What the support images contributed.")


class Explanation(BaseModel):
    """Why an image was given its label."""

    classifier: str
    image: str
    label: str
    probability: Figure
    known: bool
    p_value: Figure | None = Field(
        description="Share of the support images that look no more familiar than this image."
    )
    reasons: list[Reason]
    nearest: list[Evidence] = Field(description="Support images; the pictures are of the first.")
    n_pictures: int
    text: str


class Registered(BaseModel):
    """What became of an image."""

    image: str
    image_id: str
    status: str = Field(description="created, or duplicate: it was registered before.")


class Registration(BaseModel):
    """What became of images that were registered."""

    classifier: str
    label: str
    created: int
    duplicates: int
    images: list[Registered]


class ClassResult(BaseModel):
    """How well a class's own images are told from others."""

    label: str
    n_images: int
    accuracy: Figure | None = Field(description="F1, of a classifier with several labels.")
    confused_with: str | None


class Confused(BaseModel):
    """Images of one class that were taken for another."""

    label: str
    named: str
    count: int


class Suspicious(BaseModel):
    """An image that looks mislabelled: the others find another class more probable."""

    image_id: str
    filename: str
    label: str
    named: str
    probability: Figure


class Report(BaseModel):
    """How good a classifier is by its own images, each named by the others."""

    classifier: str
    n_classes: int
    n_images: int
    accuracy: Figure | None
    advice: str
    worst_classes: list[ClassResult] = Field(description="At most 20.")
    confusions: list[Confused] = Field(description="The most frequent, at most 20.")
    n_suspects: int
    suspects: list[Suspicious] = Field(description="The clearest, at most 20.")
    n_near_copies: int
    shift: str | None = Field(description="Whether recent queries look unlike the support images.")


class Suggested(BaseModel):
    """An image that is worth a label."""

    image: str
    gain: Figure = Field(description="By how much it raises how well the images are covered.")
    taken_for: str | None
    probability: Figure | None
    known: bool | None


class Suggestions(BaseModel):
    """Which images to label next, best first."""

    classifier: str
    n_images: int
    suggestions: list[Suggested]
    registered_already: list[str]


class PastChange(BaseModel):
    """A change of a classifier."""

    revision: int = Field(description="After it; undo brings it back as to_revision.")
    at: datetime
    what: str


class History(BaseModel):
    """Changes, the last first."""

    classifier: str
    changes: list[PastChange]
    more: bool


class Undone(BaseModel):
    """A classifier after an undo."""

    classifier: str
    restored_revision: int
    n_classes: int
    n_images: int


def answered(
    answer: BaseModel, pictures: Sequence[bytes] = (), media_type: str = "image/jpeg"
) -> CallToolResult:
    """The result of a call: the answer, as text for those that read nothing else, and pictures."""
    content: list[TextContent | ImageContent] = [
        TextContent(type="text", text=answer.model_dump_json(exclude_none=True))
    ]
    for picture in pictures:
        data = b64encode(picture).decode()
        content.append(ImageContent(type="image", data=data, mime_type=media_type))
    return CallToolResult(content=[*content], structured_content=answer.model_dump(mode="json"))


def listed(labels: Iterable[str]) -> str:
    """Labels in a sentence."""
    return ", ".join(repr(label) for label in labels)
