"""Map of embeddings: the images of a classifier as points, before and after the correction."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import torch

from adapters.projection import projected
from adapters.systematic_sampling import evenly
from service.name_validation import NOT_THESE
from service.registry.live import LiveClassifier
from service.registry.snapshot import Snapshot
from service.reports.map_schemas import Explained, MapOut, MapPoint

MOST_POINTS = 20_000
"""Images of a map at most; of more, a sample in which each class has its share."""

# More of a unit that fills a screen cannot be seen.
_DIGITS = 5


def embedding_map(snapshot: Snapshot, revision: int) -> MapOut:
    """The map of one state of a classifier.

    Costs two passes over the embeddings and factors of a square matrix of their width; holds no
    lock.

    Args:
        snapshot: The state.
        revision: Its content revision.
    """
    every = snapshot.support
    if snapshot.negatives is not None:
        every = every.with_added(snapshot.negatives)
    by_id = every.ids.argsort()
    by_class = by_id[every.labels[by_id].argsort(stable=True)]
    shown = every[by_class[evenly(len(every), MOST_POINTS)]]
    frozen, corrected = projected(shown.embeddings)
    label_of = {record.id: label for label, record in snapshot.records.items()}
    points = []
    for i, before, after in zip(
        shown.ids.tolist(), frozen.points.tolist(), corrected.points.tolist(), strict=True
    ):
        image = snapshot.images.get(i) or snapshot.negative_images[i]
        points.append(
            MapPoint(
                image_id=image.public_id,
                label=label_of.get(image.class_id, NOT_THESE),
                frozen=_rounded(before),
                corrected=_rounded(after),
            )
        )
    return MapOut(
        classifier=snapshot.name,
        method="pca",
        revision=revision,
        of=len(every),
        is_corrected=not torch.equal(shown.embeddings.frozen, shown.embeddings.corrected),
        explained=Explained(frozen=frozen.explained, corrected=corrected.explained),
        points=points,
    )


def _rounded(point: Sequence[float]) -> tuple[float, float]:
    across, up = (round(one, _DIGITS) + 0.0 for one in point)  # never -0.0
    return across, up


class MapCache:
    """Cache of maps as they are sent, by the content of a classifier: the last one of each.

    A new tuning leaves a map as it is. One thread at a time may ask, as the limiter of the reports
    has it (``service.api.limiters``).
    """

    def __init__(self) -> None:
        self._maps: WeakKeyDictionary[LiveClassifier, tuple[int, bytes]] = WeakKeyDictionary()

    def map_of(self, live: LiveClassifier) -> bytes:
        """The map of the present state, as JSON; blocks while it is computed."""
        # Before the snapshot: a change between the two makes a map newer than its key, which is
        # computed again when it is asked for next; never an older one.
        revision = live.state.content_revision
        cached = self._maps.get(live)
        if cached is not None and cached[0] == revision:
            return cached[1]
        written = embedding_map(live.snapshot(), revision).model_dump_json().encode()
        self._maps[live] = revision, written
        return written
