"""The JSON of predictions."""

from __future__ import annotations

from pydantic import AliasPath, BaseModel, ConfigDict, Field

from service.api.openapi.schema_types import ClassifierName, ClassLabel, ImageIdentifier
from service.presentation.shift import ShiftOut, sentence


def is_none(value: object) -> bool:
    """Whether a member is left out: what it says is of other classifiers."""
    return value is None


class RankedLabelOut(BaseModel):
    """A candidate answer and the two terms of its logit."""

    model_config = ConfigDict(from_attributes=True)

    label: ClassLabel
    probability: float
    zero_shot: float = Field(description="What the class name contributed to the logit.")
    cache: float = Field(description="What the support images contributed to the logit.")
    threshold: float | None = Field(
        default=None,
        exclude_if=is_none,
        description="The probability from which on the label is given; only with `multi_label`.",
    )


class EvidenceOut(BaseModel):
    """A support image, or an explicit negative (`not-these`), that resembles the query."""

    model_config = ConfigDict(from_attributes=True)

    image_id: ImageIdentifier
    label: ClassLabel
    similarity: float = Field(description="Cosine similarity, at most 1.")


class PredictionOut(BaseModel):
    """The answer for one image."""

    model_config = ConfigDict(from_attributes=True)

    label: ClassLabel = Field(validation_alias=AliasPath("top_k", 0, "label"))
    probability: float = Field(validation_alias=AliasPath("top_k", 0, "probability"))
    labels: list[ClassLabel] | None = Field(
        default=None,
        exclude_if=is_none,
        description="The labels that the image is given: those whose probability is at least their"
        " threshold, the most probable first; none is an answer, too. Only of a classifier with"
        " `multi_label`, where each probability is of its class alone, and they sum to anything.",
    )
    known: bool = Field(
        description="Whether the image looks like any of the classes, at the classifier's"
        " false-rejection rate. Always true where there is nothing to tell by: where the best class"
        " has no images, and before a class has two; but for images that are nearer to explicit"
        " negatives (`not-these`) than to any class."
    )
    p_value: float | None = Field(
        ge=0,
        le=1,
        description="How familiar the image looks: the share of the support set's own images, each"
        " left out of it, that look no more familiar. `known` is whether it is above the"
        " classifier's `false_rejection_rate`; compare it with a threshold of your own for another"
        " rate. Below the least familiar of them it is extrapolated. Null where there is nothing to"
        " tell by: before a class has two images, and where the best class has none.",
    )
    prediction_set: list[ClassLabel] | None = Field(
        description="Classes that hold the right one as often as the coverage asked for, the most"
        " probable first; may be empty where none is probable enough; null without a coverage."
    )
    top_k: list[RankedLabelOut]
    evidence: list[EvidenceOut]


class PredictionsOut(BaseModel):
    """The answers, in the order of the uploaded images."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "classifier": "land-cover",
                    "shift": {
                        "queries": 120,
                        "mean_p_value": 0.21,
                        "detected": True,
                        "detail": sentence(120),
                    },
                    "predictions": [
                        {
                            "label": "forest",
                            "probability": 0.93,
                            "known": True,
                            "p_value": 0.42,
                            "prediction_set": ["forest"],
                            "top_k": [
                                {
                                    "label": "forest",
                                    "probability": 0.93,
                                    "zero_shot": 18.2,
                                    "cache": 3.1,
                                },
                                {
                                    "label": "sea lake",
                                    "probability": 0.07,
                                    "zero_shot": 17.9,
                                    "cache": 0.8,
                                },
                            ],
                            "evidence": [
                                {
                                    "image_id": "0b54c1a2f6e84bb0b6c5d1f6b7a3a9f1",
                                    "label": "forest",
                                    "similarity": 0.81,
                                }
                            ],
                        }
                    ],
                }
            ]
        },
    )

    classifier: ClassifierName
    shift: ShiftOut | None = Field(
        description="Whether the recent queries, those of this request among them, look less"
        " familiar than the support images do to each other: then the support set cannot vouch for"
        " these answers. null while too few queries were seen. Changes no answer."
    )
    predictions: list[PredictionOut]
