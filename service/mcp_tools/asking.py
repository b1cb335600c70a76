"""Tools that ask about images: what they are, why, and which of them to label next."""

from __future__ import annotations

from typing import Annotated

from handful_client import AsyncClassifier, NotFound
from handful_client.models import EvidenceOut, PredictionOut
from mcp_types import CallToolResult
from pydantic import Field

from service.mcp_tools.answers import (
    Candidate,
    Classification,
    Classified,
    Evidence,
    Explanation,
    Reason,
    Suggested,
    Suggestions,
    answered,
)
from service.mcp_tools.arguments import AnyImage, Call, ClassifierName, NewImage
from service.mcp_tools.calling import Tools
from service.mcp_tools.given_images import GivenImages

MOST_TO_CLASSIFY = 32
MOST_TO_CHOOSE_AMONG = 500
_NEAREST = 5


class AskingTools(Tools):
    """Tools that change nothing."""

    async def classify(
        self,
        call: Call,
        classifier: ClassifierName,
        images: Annotated[
            list[AnyImage], Field(min_length=1, max_length=MOST_TO_CLASSIFY, description="Images.")
        ],
        top_k: Annotated[int, Field(ge=1, le=10, description="Candidates of each image.")] = 3,
    ) -> Annotated[CallToolResult, Classification]:
        """Say what images are, with probabilities, and whether they look like any of the classes.

        Where `known` is false, the image resembles none of the classes: say so in place of a label.
        """
        given = GivenImages(images, self.local, MOST_TO_CLASSIFY)
        async with self.classifier(call, classifier) as asked:
            answers = [
                one async for one in asked.predict_many(given.to_send(), top_k=top_k, evidence=2)
            ]
        told = [_classified(at.name, one) for at, one in zip(given.all, answers, strict=True)]
        return answered(Classification(classifier=classifier, images=told))

    async def explain(
        self,
        call: Call,
        classifier: ClassifierName,
        image: AnyImage,
        pictures: Annotated[
            int, Field(ge=0, le=_NEAREST, description="Pictures of nearest images to show.")
        ] = 3,
    ) -> Annotated[CallToolResult, Explanation]:
        """Say why an image gets its label: what name and images count, and its nearest images.

        The nearest registered images are shown as thumbnails.
        """
        given = GivenImages([image], self.local, 1)
        async with self.classifier(call, classifier) as asked:
            sent = [one async for one in given.to_send()]
            told = await asked.predict(sent[0], top_k=3, evidence=_NEAREST)
            shown = await _thumbnails(asked, told.evidence[:pictures])
        name = given.all[0].name
        return answered(_explained(classifier, name, told, len(shown)), shown)

    async def suggest(
        self,
        call: Call,
        classifier: ClassifierName,
        images: Annotated[
            list[NewImage],
            Field(
                min_length=1,
                max_length=MOST_TO_CHOOSE_AMONG,
                description="Images without labels to choose among.",
            ),
        ],
        n: Annotated[int, Field(ge=1, le=50, description="How many to suggest.")] = 5,
    ) -> Annotated[CallToolResult, Suggestions]:
        """Choose the images of a pool that are worth labelling next, best first.

        Ask a person for their labels, then register them with add_examples.
        """
        given = GivenImages(images, self.local, MOST_TO_CHOOSE_AMONG)
        async with self.classifier(call, classifier) as asked:
            told = await asked.suggest(given.to_send(), n=n)
        suggestions = [
            Suggested(
                image=given.all[one.position].name,
                gain=one.gain,
                taken_for=None if one.predicted is None else one.predicted.label,
                probability=None if one.predicted is None else one.predicted.probability,
                known=None if one.predicted is None else one.predicted.known,
            )
            for one in told.suggestions
        ]
        return answered(
            Suggestions(
                classifier=classifier,
                n_images=told.n_images,
                suggestions=suggestions,
                registered_already=[given.all[one.position].name for one in told.duplicates],
            )
        )


async def _thumbnails(asked: AsyncClassifier, nearest: list[EvidenceOut]) -> list[bytes]:
    """Pictures of support images; none where the service keeps none."""
    shown = []
    for one in nearest:
        try:
            shown.append(await asked.thumbnail(one.image_id))
        except NotFound:
            return shown
    return shown


def _classified(name: str, told: PredictionOut) -> Classified:
    return Classified(
        image=name,
        label=told.label,
        probability=told.probability,
        known=told.known,
        labels=told.labels,
        prediction_set=told.prediction_set,
        candidates=[Candidate(label=one.label, probability=one.probability) for one in told.top_k],
        evidence=_evidence(told),
    )


def _evidence(told: PredictionOut) -> list[Evidence]:
    return [
        Evidence(image_id=one.image_id, label=one.label, similarity=one.similarity)
        for one in told.evidence
    ]


def _explained(classifier: str, name: str, told: PredictionOut, n_pictures: int) -> Explanation:
    best = told.top_k[0]
    by = "its images" if best.cache > best.zero_shot else "its name"
    sure = "" if told.known else " But the image resembles none of the classes: it is unknown."
    nearest = ""
    if told.evidence:
        first = told.evidence[0]
        nearest = f" The nearest registered image is of {first.label!r} ({first.similarity:.2f})."
    return Explanation(
        classifier=classifier,
        image=name,
        label=told.label,
        probability=told.probability,
        known=told.known,
        p_value=told.p_value,
        reasons=[
            Reason(
                label=one.label,
                probability=one.probability,
                by_name=one.zero_shot,
                by_images=one.cache,
            )
            for one in told.top_k
        ],
        nearest=_evidence(told),
        n_pictures=n_pictures,
        text=f"{told.label!r} with {told.probability:.0%}, most of it by {by}.{nearest}{sure}",
    )
