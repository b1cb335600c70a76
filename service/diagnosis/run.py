"""From image files to their diagnosis."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import BaseModel

from adapters.backbones import Backbone
from adapters.measures.diagnosis import diagnose
from service.diagnosis.labelled import LabelledImages
from service.diagnosis.schemas import MeasuresOut, OverlapsOut
from service.diagnosis.values import measures_of, overlaps_of
from service.evaluation.features import Features


class DiagnosisOut(BaseModel):
    """What ``diagnosis.json`` holds.

    Attributes:
        dataset: Name of the folder.
        split: ``train``, ``test``, or None for a folder without them.
        labels: The classes.
        n_images: How many images were measured.
        backbone: Its name.
        fingerprint: Of its weights, preprocessing and correction.
        correction: What makes the second embedding.
        templates: Prompts that the class names were written into; None: names carry no meaning.
        overlap: Intra-modal overlap with histograms.
        measures: Everything else.
    """

    dataset: str
    split: str | None
    labels: list[str]
    n_images: int
    backbone: str
    fingerprint: str
    correction: str
    templates: list[str] | None
    overlap: OverlapsOut
    measures: MeasuresOut


def run(
    images: LabelledImages,
    backbone: Backbone,
    features: Features,
    templates: Sequence[str] = (),
    *,
    names_carry_meaning: bool = True,
) -> DiagnosisOut:
    """Embed the images, as far as that is not done yet, and measure them.

    Args:
        images: What is measured.
        backbone: What embeds them.
        features: Their embeddings.
        templates: Prompt templates; the backbone's own if empty.
        names_carry_meaning: Whether images are compared with the names of their classes.

    Raises:
        DatasetError: A file cannot be read.
        NotAnImage, BrokenImage, ImageTooLarge: A file is no image to embed; names the file.
    """
    features.compute(images.files)
    texts = backbone.encode_classes(images.labels, templates) if names_carry_meaning else None
    joint = backbone.correction.joint
    diagnosis = diagnose(
        features.of(images.files), torch.tensor(images.columns), texts, joint=joint
    )
    return DiagnosisOut(
        dataset=images.name,
        split=images.split,
        labels=list(images.labels),
        n_images=len(images.files),
        backbone=backbone.name,
        fingerprint=backbone.fingerprint,
        correction=backbone.correction.name,
        templates=list(templates or backbone.templates) if names_carry_meaning else None,
        overlap=overlaps_of(diagnosis),
        measures=measures_of(diagnosis),
    )
