"""APE and APE++: a cache that compares images in the channels that tell classes apart.

Zhu et al., *Not All Features Matter: Enhancing Few-shot CLIP with Adaptive Prior Refinement*,
ICCV 2023, the training-free form. APE++ refines the embedding corrected for intra-modal overlap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from adapters.cache import VoteEquation
from adapters.change import Change
from adapters.embeddings import ClassSet, ImageEmbeddings, LabelledEmbeddings, View
from adapters.heads.head import Head
from adapters.heads.tip_adapter import DEFAULT_ALPHA, DEFAULT_BETA, VoteParameters, VotingHead
from adapters.memory import Storages, storages
from adapters.rest import Rest
from adapters.tuning.cache_votes import cache_terms, left_out_votes, mean_shots
from adapters.tuning.search import Term, search
from adapters.tuning.tuning import Parameters
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


@dataclass(frozen=True, slots=True, kw_only=True)
class APEParameters(VoteParameters):
    """How the keys vote, cut down to their best channels.

    Attributes:
        share: Of the channels that are kept; all if None.
        gamma: γ of the value weights; 0 if None.
    """

    share: float | None = None
    gamma: float | None = None

    @property
    def kept(self) -> float:
        """Share of the channels that are kept."""
        return 1.0 if self.share is None else self.share


class _Setting(NamedTuple):
    share: float
    beta: float
    gamma: float = 0.0


class APE(VotingHead[APEParameters]):
    """``logit_scale · T_q Wᵀ + α · exp(−β(1 − T'_q F'ᵀ)) diag(w) L``, L balanced.

    T' and F' keep the Q channels that tell the class texts apart best (:func:`channel_scores`), w
    are :func:`value_weights`. Where names carry no meaning, class means stand for the texts and w
    is one.

    Refitted at every change, because it may choose other channels: the cache, O(n · d). In
    leave-one-out the image stays in the choice of channels and in the mean of the weights.
    """

    view: ClassVar[View] = "frozen"
    whole = True
    parameters: ClassVar[type[Parameters]] = APEParameters

    def keys(self, embeddings: ImageEmbeddings) -> Tensor:
        """The embedding by which this head compares images: refined."""
        return refined(super().keys(embeddings), self._channels)

    def _choose(
        self,
        known: ClassSet,
        images: LabelledEmbeddings,
        base: Tensor,
        votes: Votes,
        trust: float,
        rest: Rest,
    ) -> tuple[APEParameters, Tensor]:
        columns, n_classes = known.columns(images.labels), len(known)
        plain = super().keys(images.embeddings)
        keys = {
            share: refined(plain, self._best_channels(known, images, share)) for share in SHARES
        }
        shares = (
            Term(_Setting(share, term.setting), term.values, term.scale)
            for share in SHARES
            for term in cache_terms(keys[share], columns, votes, n_classes, rest=rest)
        )
        share, beta, _ = search(base, shares, votes, trust, rest=rest).setting
        weighted = (
            Term(_Setting(share, term.setting, gamma), term.values, term.scale)
            for gamma in GAMMAS
            for term in cache_terms(
                keys[share],
                columns,
                votes,
                n_classes,
                self._weights(known, images, share, gamma),
                betas=(beta,),
                rest=rest,
            )
        )
        best = search(base, weighted, votes, trust, rest=rest)
        parameters = APEParameters(
            beta=best.setting.beta,
            gamma=best.setting.gamma,
            share=share,
            alpha=best.weight,
            shots=mean_shots(columns, n_classes),
        )
        return parameters, best.values

    def _defaults(self, trust: float) -> APEParameters:
        return APEParameters(alpha=DEFAULT_ALPHA * trust, beta=DEFAULT_BETA, share=1.0, gamma=0.0)

    def _fit(self, images: LabelledEmbeddings) -> None:
        known, parameters = self.classes_.with_images(images.labels), self.parameters_
        self._channels = self._best_channels(known, images, parameters.kept)
        # In the order of the keys, which are those of the support set, made anew.
        self._key_weights = self._weights(known, images, parameters.kept, parameters.gamma or 0.0)

    def _follow(self, before: Head, change: Change) -> None:
        self._fit_anew()

    def _make_room(self, before: Head, change: Change) -> None:
        self._keep()

    def _equation(self) -> VoteEquation:
        return replace(super()._equation(), key_weights=self._key_weights)

    def _derived(self) -> Storages:
        return {**super()._derived(), **storages(self._channels, self._key_weights)}

    def _left_out_term(
        self,
        classes: ClassSet,
        images: LabelledEmbeddings,
        parameters: APEParameters,
        rows: Tensor,
        rest: Rest,
    ) -> Tensor:
        known = classes.with_images(images.labels)
        columns = classes.columns(images.labels)
        share, gamma = parameters.kept, parameters.gamma or 0.0
        shots = parameters.shots_of(columns, len(classes))
        votes = left_out_votes(
            refined(super().keys(images.embeddings), self._best_channels(known, images, share)),
            columns,
            len(classes),
            parameters.beta,
            self._weights(known, images, share, gamma),
            rows=rows,
            rest=rest,
        )
        return parameters.alpha * shots * votes

    def _prototypes(self, known: ClassSet, images: LabelledEmbeddings) -> Tensor:
        """(N, d) one vector a class, in the space of the keys."""
        if known.texts is not None and self.view == "frozen":
            return known.texts
        keys = super().keys(images.embeddings)
        means = keys.new_zeros(len(known), keys.shape[1])
        return normalize(means.index_add_(0, known.columns(images.labels), keys), dim=1)

    def _best_channels(self, known: ClassSet, images: LabelledEmbeddings, share: float) -> Tensor:
        return best_channels(self._prototypes(known, images), share)

    def _weights(
        self, known: ClassSet, images: LabelledEmbeddings, share: float, gamma: float
    ) -> Tensor:
        """(n,) value weights: by the frozen embedding, the one that texts can be compared with."""
        frozen = images.embeddings.frozen
        if known.texts is None or gamma == 0:
            return frozen.new_ones(len(frozen))
        channels = best_channels(known.texts, share)
        return value_weights(
            refined(frozen, channels),
            refined(known.texts, channels),
            known.columns(images.labels),
            gamma,
        )


class APEPlusPlus(APE):
    """``logit_scale · T_q Wᵀ + α · exp(−β(1 − U'_q G'ᵀ)) diag(w) L``, L balanced.

    There are no texts in the corrected embedding: its channels are chosen by the class means.
    """

    view = "corrected"
