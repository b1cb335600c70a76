"""APE and APE++: a cache that compares images in the channels that tell classes apart.

Zhu et al., *Not All Features Matter: Enhancing Few-shot CLIP with Adaptive Prior Refinement*,
ICCV 2023, the training-free form. APE++ refines the embedding corrected for intra-modal overlap.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from adapters.cache import KeyValueCache
from adapters.change import Change
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads.tip_adapter import TipAdapter, tuned_shots
from adapters.tuning.cache_votes import cache_terms, left_out_votes, mean_shots
from adapters.tuning.search import Term, search
from adapters.tuning.votes import Votes

# w₀ and w₁ of the paper: of low inter-class similarity, and of high variance over the classes.
SIMILARITY_WEIGHT, VARIANCE_WEIGHT = 0.7, 0.3
# Shares of the channels that are kept, and γ of the values: leave-one-out chooses.
SHARES = (1.0, 0.75, 0.5)
GAMMAS = (0.0, -4.0, 4.0)


def channel_scores(prototypes: Tensor) -> Tensor:
    """``−w₀ · (mean inter-class similarity) + w₁ · (variance over classes)`` of each channel.

    Args:
        prototypes: (N, d) one unit vector a class.

    Returns:
        (d,) scores; the higher, the better the channel tells classes apart.
    """
    n = len(prototypes)
    if n < 2:
        return prototypes.new_zeros(prototypes.shape[1])
    total = prototypes.sum(dim=0)
    similarity = (total * total - (prototypes * prototypes).sum(dim=0)) / (n * (n - 1))
    return VARIANCE_WEIGHT * prototypes.var(dim=0) - SIMILARITY_WEIGHT * similarity


def best_channels(prototypes: Tensor, share: float) -> Tensor:
    """(Q,) the best ``share`` of the d channels of (N, d) prototypes, in their order."""
    scores = channel_scores(prototypes)
    return scores.topk(max(round(share * len(scores)), 1)).indices.sort().values


def refined(rows: Tensor, channels: Tensor) -> Tensor:
    """(n, Q) rows of (n, d), cut down to the channels and of unit length again."""
    return normalize(rows[:, channels], dim=1)


def value_weights(support: Tensor, texts: Tensor, columns: Tensor, gamma: float) -> Tensor:
    """``exp(γ · KL(one-hot ‖ softmax(F'W'ᵀ)))``, divided by its mean: (n,) weight of each image.

    Args:
        support: (n, Q) refined frozen embeddings F'.
        texts: (N, Q) refined class texts W'.
        columns: (n,) int64 column of each image's class.
        gamma: Positive values favour images that their class's text does not recognise.
    """
    log_p = (support @ texts.T).log_softmax(dim=1).gather(1, columns.unsqueeze(1)).squeeze(1)
    weights = torch.exp(-gamma * log_p)
    return weights / weights.mean()


class APE(TipAdapter):
    """``logit_scale · T_q Wᵀ + α · exp(−β(1 − T'_q F'ᵀ)) diag(w) L``, L balanced.

    T' and F' keep the Q channels that tell the class texts apart best (:func:`channel_scores`), w
    are :func:`value_weights`. Where names carry no meaning, class means stand for the texts and w
    is one.

    Refitted at every change, because it may choose other channels: the cache, O(n · d). In
    leave-one-out the image stays in the choice of channels and in the mean of the weights.
    """

    partitions = False

    def keys(self, embeddings: ImageEmbeddings) -> Tensor:
        """The embedding by which this head compares images: refined."""
        return refined(super().keys(embeddings), self._channels)

    def _choose(
        self, known: ClassSet, support: SupportSet, base: Tensor, votes: Votes, trust: float
    ) -> tuple[dict[str, float], Tensor]:
        columns, n_classes = known.columns(support.labels), len(known)
        plain = super().keys(support.embeddings)
        keys = {
            share: refined(plain, self._best_channels(known, support, share)) for share in SHARES
        }
        shares = (
            Term(term.parameters | {"share": share}, term.values, term.scale)
            for share in SHARES
            for term in cache_terms(keys[share], columns, votes, n_classes)
        )
        found = search(base, shares, votes, trust)
        share, beta = found.parameters["share"], found.parameters["beta"]
        weighted = (
            Term(term.parameters | {"gamma": gamma}, term.values, term.scale)
            for gamma in GAMMAS
            for term in cache_terms(
                keys[share],
                columns,
                votes,
                n_classes,
                self._weights(known, support, share, gamma),
                betas=(beta,),
            )
        )
        best = search(base, weighted, votes, trust)
        parameters = {"share": share, "alpha": best.weight, "shots": mean_shots(columns, n_classes)}
        return best.parameters | parameters, best.values

    def _defaults(self, trust: float) -> dict[str, float]:
        return super()._defaults(trust) | {"share": 1.0, "gamma": 0.0}

    def _refit(self, change: Change | None) -> None:
        known = self.classes_.with_images(self.support_.labels)
        share = self.tuning_.parameters.get("share", 1.0)
        self._channels = self._best_channels(known, self.support_, share)
        super()._refit(None)
        gamma = self.tuning_.parameters.get("gamma", 0.0)
        # In the order of the keys, which are those of the support set, made anew.
        self._key_weights = self._weights(known, self.support_, share, gamma)

    def _votes(self, cache: KeyValueCache, similarities: Tensor) -> Tensor:
        return super()._votes(cache, similarities) * self._key_weights

    def _left_out_term(
        self, classes: ClassSet, support: SupportSet, parameters: dict[str, float]
    ) -> Tensor:
        known = classes.with_images(support.labels)
        columns = classes.columns(support.labels)
        share, gamma = parameters.get("share", 1.0), parameters.get("gamma", 0.0)
        shots = tuned_shots(parameters, columns, len(classes))
        votes = left_out_votes(
            refined(super().keys(support.embeddings), self._best_channels(known, support, share)),
            columns,
            len(classes),
            parameters["beta"],
            self._weights(known, support, share, gamma),
        )
        return parameters["alpha"] * shots * votes

    def _prototypes(self, known: ClassSet, support: SupportSet) -> Tensor:
        """(N, d) one vector a class, in the space of the keys."""
        if known.texts is not None and self.view == "frozen":
            return known.texts
        keys = super().keys(support.embeddings)
        means = keys.new_zeros(len(known), keys.shape[1])
        return normalize(means.index_add_(0, known.columns(support.labels), keys), dim=1)

    def _best_channels(self, known: ClassSet, support: SupportSet, share: float) -> Tensor:
        return best_channels(self._prototypes(known, support), share)

    def _weights(self, known: ClassSet, support: SupportSet, share: float, gamma: float) -> Tensor:
        """(n,) value weights: by the frozen embedding, the one that texts can be compared with."""
        frozen = support.embeddings.frozen
        if known.texts is None or gamma == 0:
            return frozen.new_ones(len(frozen))
        channels = best_channels(known.texts, share)
        return value_weights(
            refined(frozen, channels),
            refined(known.texts, channels),
            known.columns(support.labels),
            gamma,
        )


class APEPlusPlus(APE):
    """``logit_scale · T_q Wᵀ + α · exp(−β(1 − U'_q G'ᵀ)) diag(w) L``, L balanced.

    There are no texts in the corrected embedding: its channels are chosen by the class means.
    """

    view = "corrected"
