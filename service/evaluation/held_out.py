"""Classes that a classifier is not told of, whose images it should not know."""

from __future__ import annotations

import random

from service.evaluation.dataset import Dataset, DatasetError, Example


def hold_out(dataset: Dataset, share: float, seed: int) -> tuple[Dataset, list[Example]]:
    """Split a data set into classes to learn and the test images of the others.

    The classes held out are drawn among those with test images: ``share`` of them, rounded,
    but at least one, and never so many that fewer than two classes, or no test image, are left.

    Args:
        dataset: All classes.
        share: Between 0 and 1.
        seed: Decides which classes; one seed holds out the same ones at any number of shots.

    Returns:
        The data set of the classes to learn, and the queries that belong to none of them.

    Raises:
        DatasetError: There are too few classes.
    """
    tested = [label for label in dataset.labels if dataset.test[label]]
    most = min(len(tested) - 1, len(dataset.labels) - 2)
    if most < 1:
        raise DatasetError(
            f"holding classes out of {dataset.name} takes at least three classes, two of them "
            f"with test images; there are {len(dataset.labels)}, {len(tested)} of them with test "
            "images. Add classes, or leave out --leave-classes-out."
        )
    count = min(max(round(share * len(tested)), 1), most)
    order = random.Random(f"{seed}/held out")  # noqa: S311 - not a secret
    left_out = set(order.sample(tested, count))
    return dataset.only(set(dataset.labels) - left_out), dataset.only(left_out).queries
