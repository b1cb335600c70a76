"""What unknown images are told by: the left-out support images' own scores."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from adapters.familiarity import Fitting
from adapters.out_of_distribution import comparable, degrees_of_freedom, rejection_threshold
from adapters.rest import Rest, no_rest
from adapters.tuning.left_out_scores import LeftOutScores
from adapters.tuning.tuning import Tuning


def with_rejection(
    tuning: Tuning,
    fitting: Fitting,
    columns: Tensor,
    voters: Tensor,
    share: float,
    rest: Rest = no_rest,
) -> Tuning:
    """A tuning with its threshold for unknown images, left-out scores and weight of negatives.

    An image is left out as it is held, and scored as it is as a query: the average of several views
    would look more familiar than a query does. Where that is known of fewer than two images there
    is nothing to tell by, and nothing is called unknown.

    Args:
        tuning: Without them.
        fitting: Of the support set.
        columns: (n,) int64 column of the class of each of its distinct images.
        voters: (v,) those that are not alone in their class, or some of them.
        share: The false-rejection rate.
        rest: Called every few milliseconds.
    """
    as_queries, rows = fitting.distinct.embeddings.as_queries, voters
    if as_queries is not None:
        rows = rows[~as_queries[rows, 0].isnan()]
    if fitting.ood is None or len(rows) < 2:
        return tuning
    shots = torch.bincount(columns)[columns[rows]]
    asked = None if as_queries is None else as_queries[rows]
    scores = comparable(fitting.ood.left_out(rows, asked, rest=rest), shots)
    if fitting.margin is not None:
        margins = fitting.margin.left_out(fitting.distinct, rows, rest)
        weight, centre = fitting.margin.weight(margins, scores), float(margins.mean())
        scores = scores + weight * (margins - centre)
        tuning = replace(tuning, negatives_weight=weight, negatives_centre=centre)
    given = share, degrees_of_freedom(shots)
    return replace(
        tuning,
        rejection_threshold=rejection_threshold(scores, *given),
        left_out_scores=LeftOutScores.of(scores, *given),
    )
