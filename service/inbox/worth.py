"""Which queries are worth remembering."""

from __future__ import annotations

from service.classifier_settings import ClassifierSettings
from service.registry.predictions import LabelWithThreshold, Prediction
from service.storage.inbox import Why

# Lead of the best class over the next one, in probability, below which an answer is uncertain.
MARGIN = 0.3
# Distance of a probability from its threshold, of a class among the candidates, below which an
# answer of several labels is.
NEAR = 0.1


def worth_remembering(settings: ClassifierSettings, answer: Prediction) -> Why | None:
    """Why an answer is to be remembered; None: it is not.

    ``unknown`` is among ``uncertain``, and both are among ``all``. *Margin sampling* (Scheffer et
    al., *Active Hidden Markov Models for Information Extraction*, IDA 2001) where no coverage is
    set. Of several labels an answer is uncertain where a probability is near its threshold.
    """
    if settings.remember == "none":
        return None
    if not answer.known:
        return "unknown"
    if settings.remember != "unknown" and _is_uncertain(answer):
        return "uncertain"
    return "all" if settings.remember == "all" else None


def _is_uncertain(answer: Prediction) -> bool:
    if answer.labels is not None:
        return any(
            isinstance(one, LabelWithThreshold) and abs(one.probability - one.threshold) < NEAR
            for one in answer.top_k
        )
    if answer.prediction_set is not None:
        return len(answer.prediction_set) != 1
    best = answer.top_k[0].probability
    # Of a query that asked for one candidate: the most that the next one can have.
    following = answer.top_k[1].probability if len(answer.top_k) > 1 else 1 - best
    return best - following < MARGIN
