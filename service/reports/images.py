"""Support images that deserve a look: mislabelled by the votes, or copies of another."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import torch
from torch import Tensor

from adapters.tuning.bursts import near_copies
from service.classifiers.snapshot import Snapshot
from service.reports.examined import Examined
from service.reports.schemas import LookedUpImage, NearCopy, SimilarImage, Suspect

# How many times as probable as its own class another one must be for an image to be suspected.
# With a label in 25 moved at random, of EuroSAT, PACS, Grocery and Caltech-101 (3 draws each)
# this finds 297 of 299 moved ones among 598 suspects; a margin of 0.3 finds 288 among 566. In
# the order of this ratio 9 of 10 at the head of the list are moved ones (one suspect looked at
# for each moved label), in the order of the margin 8 of 10.
ODDS = 3.0
#: The longest list that a report has.
MAX_LISTED = 500


@dataclass(frozen=True, slots=True)
class Names:
    """What rows and columns are called where people read of them."""

    snapshot: Snapshot
    support_ids: list[int]
    labels: dict[int, str]

    @classmethod
    def of(cls, snapshot: Snapshot, examined: Examined) -> Names:
        """Names for the rows that are examined."""
        labels = {record.id: label for label, record in snapshot.records.items()}
        return cls(snapshot, examined.support.ids.tolist(), labels)

    def columns(self) -> list[str]:
        """The label of each column."""
        return [self.labels[i] for i in self.snapshot.classes.ids.tolist()]

    def image(self, row: int) -> LookedUpImage:
        """The support image of a row."""
        record = self.snapshot.images[self.support_ids[row]]
        label = self.labels[record.class_id]
        return LookedUpImage(
            image_id=record.public_id,
            label=label,
            filename=record.filename,
            url=f"/v1/classifiers/{self.snapshot.name}/classes/{quote(label, safe='')}/images/"
            f"{record.public_id}",
        )

    def similar(self, row: int, similarity: float) -> SimilarImage:
        """The support image of a row, as one that resembles another."""
        return SimilarImage(**self.image(row).model_dump(), similarity=min(similarity, 1.0))


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
    nearest = _nearest(examined, rows[shown], named[shown])
    listed = [
        Suspect(
            **names.image(row).model_dump(),
            named=labels[column],
            probability=probability,
            own_probability=own_probability,
            nearest=None if likeness == -torch.inf else names.similar(like, likeness),
        )
        for row, column, probability, own_probability, likeness, like in zip(
            rows[shown].tolist(),
            named[shown].tolist(),
            best[shown].exp().tolist(),
            own[shown].exp().tolist(),
            nearest[0].tolist(),
            nearest[1].tolist(),
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
    original = near_copies(examined.support)
    copies = (original != torch.arange(len(original))).nonzero().flatten()
    keys = examined.support.embeddings.corrected
    similarity = (keys[copies] * keys[original[copies]]).sum(dim=1)
    shown = similarity.argsort(descending=True, stable=True)[:MAX_LISTED]
    listed = [
        NearCopy(**names.image(copy).model_dump(), copy_of=names.similar(of, value))
        for copy, of, value in zip(
            copies[shown].tolist(),
            original[copies[shown]].tolist(),
            similarity[shown].tolist(),
            strict=True,
        )
    ]
    return len(copies), listed
