"""Support images that deserve a look: mislabelled by the votes, or copies of another."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import torch
from torch import Tensor

from adapters.tuning.near_duplicates import near_duplicates
from service.registry.snapshot import Snapshot
from service.reports.examined import Examined
from service.reports.schemas import LookedUpImage, NearCopy, SimilarImage, Suspect

# How many times as probable as its own class another one must be for an image to be suspected.
# With a label in 25 moved at random (EuroSAT, PACS, Grocery, Caltech-101; 3 draws each) 764
# suspects hold 295 of 297 moved ones. Ordered by this ratio, 91 % of the first ones are moved
# (as many looked at as were moved); ordered by the difference of the probabilities, 74 %.
ODDS = 3.0
#: The longest list that a report has.
MAX_LISTED = 500


@dataclass(frozen=True, slots=True)
class Names:
    """What classes and images are called where people read of them."""

    snapshot: Snapshot
    labels: dict[int, str]
    root_path: str

    @classmethod
    def of(cls, snapshot: Snapshot, root_path: str) -> Names:
        """Names for the identifiers of a classifier, under the path of a proxy."""
        labels = {record.id: label for label, record in snapshot.records.items()}
        return cls(snapshot, labels, root_path)

    def columns(self) -> list[str]:
        """The label of each column."""
        return [self.labels[i] for i in self.snapshot.classes.ids.tolist()]

    def image(self, support_id: int) -> LookedUpImage:
        """A support image."""
        record = self.snapshot.images[support_id]
        label = self.labels[record.class_id]
        return LookedUpImage(
            image_id=record.public_id,
            label=label,
            filename=record.filename,
            media_type=record.media_type,
            url=f"{self.root_path}/v1/classifiers/{self.snapshot.name}/classes/"
            f"{quote(label, safe='')}/images/{record.public_id}",
        )

    def similar(self, support_id: int, similarity: float) -> SimilarImage:
        """A support image as one that resembles another."""
        return SimilarImage(**self.image(support_id).model_dump(), similarity=min(similarity, 1.0))


def suspects(examined: Examined, names: Names) -> tuple[int, list[Suspect]]:
    """How many images look mislabelled, and the clearest of them.

    The order is that of the ratio of the two probabilities: 0.6 against 0.001 says more than
    0.7 against 0.3.
    """
    rows = examined.voters
    logs = examined.probabilities[rows].log()
    best, named = logs.max(dim=1) if len(rows) else (torch.empty(0), rows)
    own = logs.gather(1, examined.columns[rows].unsqueeze(1)).squeeze(1)
    # A ratio that overflows is as clear as can be.
    odds = (best - own).nan_to_num(posinf=torch.inf)
    found = (odds >= torch.tensor(ODDS).log()) & (named != examined.columns[rows])
    order = odds.masked_fill(~found, -torch.inf).argsort(descending=True, stable=True)
    shown = order[: min(int(found.sum()), MAX_LISTED)]
    labels = names.columns()
    ids = examined.support.ids
    likeness, nearest = _nearest(examined, rows[shown], named[shown])
    listed = [
        Suspect(
            **names.image(image).model_dump(),
            named=labels[column],
            probability=probability,
            own_probability=own_probability,
            nearest=names.similar(other, value) if value > -torch.inf else None,
        )
        for image, column, probability, own_probability, value, other in zip(
            ids[rows[shown]].tolist(),
            named[shown].tolist(),
            best[shown].exp().tolist(),
            own[shown].exp().tolist(),
            likeness.tolist(),
            ids[nearest].tolist(),
            strict=True,
        )
    ]
    return int(found.sum()), listed


def _nearest(examined: Examined, rows: Tensor, named: Tensor) -> tuple[Tensor, Tensor]:
    """Similarity and row of the image of the named class that is nearest; -inf if it has none."""
    if len(rows) == 0:
        return torch.empty(0), rows
    keys = examined.support.embeddings.corrected
    other = examined.columns != named.unsqueeze(1)
    values, nearest = (keys[rows] @ keys.T).masked_fill(other, -torch.inf).max(dim=1)
    return values, nearest


def redundant(examined: Examined, names: Names) -> tuple[int, list[NearCopy]]:
    """How many images are near copies of another of their class, and the nearest of them."""
    images = examined.images
    original = near_duplicates(images)
    copies = (original != torch.arange(len(original))).nonzero().flatten()
    keys = images.embeddings.corrected
    similarity = (keys[copies] * keys[original[copies]]).sum(dim=1)
    order = similarity.argsort(descending=True, stable=True)[:MAX_LISTED]
    shown = copies[order]
    listed = [
        NearCopy(**names.image(copy).model_dump(), copy_of=names.similar(of, value))
        for copy, of, value in zip(
            images.ids[shown].tolist(),
            images.ids[original[shown]].tolist(),
            similarity[order].tolist(),
            strict=True,
        )
    ]
    return len(copies), listed
