"""Diagnosis of labelled images: embed the files and measure both embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import BaseModel

from adapters.backbones import Backbone
from adapters.measures.diagnosis import diagnose
from service.datasets.features import Features
from service.datasets.labelled_split import LabelledSplit
from service.presentation.measure_schemas import MeasuresOut, OverlapsOut


class DiagnosisOut(BaseModel):
    """Diagnosis of labelled images, as ``diagnosis.json`` holds it.

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


def diagnose_images(
    images: LabelledSplit,
    backbone: Backbone,
    features: Features,
    templates: Sequence[str] = (),
    *,
    names_carry_meaning: bool = True,
) -> DiagnosisOut:
    """Measures of both embeddings of the images, which are computed first where they are missing.

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
        overlap=OverlapsOut.of(diagnosis),
        measures=MeasuresOut.of(diagnosis),
    )
