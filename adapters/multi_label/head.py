"""The head of classifiers whose images may have several labels, each with a probability by itself.

``log p / (1 − p) = a · z + κ · f + γ · s + b + δ_c + base``: z is the zero-shot term less its mean
over images that do not show the class, f the detectors' score
(:mod:`adapters.multi_label.detectors`) in units of its spread over these, s what a softmax says
that is fitted to images of one label (:mod:`adapters.multi_label.softmax`), asked where most labels
are of these; base the log-odds of the support images' labels.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from adapters.cache import Matches
from adapters.embeddings import ClassSet, ImageEmbeddings, LabelledEmbeddings, SupportSet
from adapters.heads.cached import KeyedHead
from adapters.heads.head import Scores
from adapters.heads.term import zero_shot_logits
from adapters.memory import Storages
from adapters.multi_label.calibration import Logistic, logistic
from adapters.multi_label.expected import BY_NAME, THRESHOLD
from adapters.multi_label.left_out import LeftOutImages
from adapters.multi_label.terms import Terms
from adapters.multi_label.thresholds import best_thresholds
from adapters.rest import Rest, no_rest
from adapters.tuning.tuning import Parameters, Tuning

#: Its name in stored tunings; in settings it is ``multi_label``.
NAME = "multi-label"


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiLabelParameters(Parameters):
    """What leave-one-out sets for all classes together; what is of a class is fitted.

    Attributes:
        names: a.
        images: κ.
        offset: b.
        softmax: γ; 0: it is not asked.
    """

    names: float
    images: float
    offset: float
    softmax: float = 0.0

    @property
    def slopes(self) -> tuple[float, ...]:
        """Of the terms that count."""
        of_softmax = (self.softmax,) if self.softmax else ()
        return (self.names, self.images, *of_softmax)


class MultiLabelHead(KeyedHead):
    """Detectors and names, with a probability and a threshold for each class.

    All that is fitted is fitted anew at each change: the detectors (:meth:`Detectors.fit
    <adapters.multi_label.detectors.Detectors.fit>` says what of) on m images, at most
    :data:`adapters.multi_label.terms.MOST_IMAGES`, and all N classes, with images or without; then
    O(m · N) for each step of the logistic regression, and each threshold that is tried. Several
    (m, N) matrices are in memory meanwhile, two stay. The cache follows.

    Attributes:
        thresholds_: (N,) probabilities from which on a label is given.
    """

    view: ClassVar = "corrected"
    parameters: ClassVar[type[Parameters]] = MultiLabelParameters

    thresholds_: Tensor
    _negatives: ImageEmbeddings | None = None
    _fitted: Terms
    _logistic: Logistic

    def with_negatives(self, negatives: SupportSet | None) -> Self:
        """The same with other explicit negatives: images without a label; to be fitted then."""
        other = copy(self)
        other._negatives = None if negatives is None else negatives.embeddings
        return other

    def score(self, queries: ImageEmbeddings, n_matches: int | None = None) -> Scores:
        """Terms of the log-odds of n queries for the N classes; what sums to them.

        Args:
            queries: Both embeddings of the queries.
            n_matches: How many of the nearest support images to name; all if None.
        """
        zero_shot, cache = self._weighted(self.parameters_, *self._terms_of(queries))
        matches = Matches.none(len(queries))
        if len(self.support_):
            matches = self.cache_.nearest(self.keys(queries), n_matches)
        return Scores(zero_shot, cache, matches)

    def probabilities(self, logits: Tensor) -> Tensor:
        """(n, N) probabilities of log-odds; rows sum to anything."""
        return logits.sigmoid()

    def tune(
        self, classes: ClassSet, images: LabelledEmbeddings, *, rest: Rest = no_rest
    ) -> Tuning:
        """Choose slopes and offset by leave-one-out: an image is left out with all its labels.

        Args:
            classes: The classes.
            images: A row for each label of an image.
            rest: Called every few milliseconds.
        """
        terms = self._looked_at(classes, images, rest)
        expected = terms.expected
        found = logistic(
            terms.left_out,
            terms.images.targets,
            terms.voting,
            terms.votes,
            expected.prior,
            terms.base,
            rest=rest,
        )
        # A negative slope would turn what is said into its opposite.
        least = (mean / 20 for mean in expected.prior.means)
        slopes = map(max, found.slopes, least)
        named = dict(zip(("names", "images", "softmax"), slopes, strict=False))
        parameters = MultiLabelParameters(**named, offset=found.offset)
        votes = int(terms.images.targets[:, terms.voting].any(dim=1).sum())
        if found.loss is None:
            return Tuning(parameters, head=NAME)
        return Tuning(parameters, votes=votes, loss=found.loss, head=NAME)

    def left_out(
        self,
        classes: ClassSet,
        images: LabelledEmbeddings,
        tuning: Tuning,
        rows: Tensor | None = None,
        *,
        rest: Rest = no_rest,
    ) -> Tensor:
        """(m, N) log-odds of support images, each without itself and all its labels."""
        rows = torch.arange(len(images)) if rows is None else rows
        other = copy(self)
        other.classes_, other.tuning_ = classes, tuning
        asked = other.parameters_.softmax > 0
        other._fit_terms(other._looked_at(classes, images, rest, with_softmax=asked))
        fitted = other._fitted
        at = fitted.images.image_of[rows]
        terms = other._terms_of(images.embeddings[rows])
        held = at >= 0
        for term, left_out in zip(terms, fitted.left_out, strict=True):
            term[held] = left_out[at[held]]
        of_names, of_images = other._weighted(other.parameters_, *terms)
        return of_names + of_images

    def terms_of(self, queries: ImageEmbeddings) -> tuple[tuple[Tensor, ...], float]:
        """All terms of n queries, (n, N) each, and the log-odds that are known beforehand."""
        return self._terms_of(queries), self._fitted.base

    def left_out_images(self) -> LeftOutImages:
        """What the images that it was fitted to say of each other."""
        terms = self._fitted
        return LeftOutImages(
            targets=terms.images.targets,
            probabilities=self._probabilities(*terms.left_out),
            thresholds=self.thresholds_,
            judged=terms.voting,
            shots=terms.shots,
            n_images=terms.n_images,
            n_negatives=terms.n_negatives,
        )

    @property
    def parameters_(self) -> MultiLabelParameters:
        """The hyperparameters that it was fitted with."""
        return self._own(self.tuning_)

    def _fit(self, images: LabelledEmbeddings) -> None:
        asked = self.parameters_.softmax > 0
        self._fit_terms(self._looked_at(self.classes_, images, no_rest, with_softmax=asked))

    def _fit_terms(self, terms: Terms) -> None:
        parameters = self.parameters_
        self._fitted = terms
        self._logistic = logistic(
            terms.left_out,
            terms.images.targets,
            terms.voting,
            terms.votes,
            terms.expected.prior,
            terms.base,
            slopes=parameters.slopes,
            offset=parameters.offset,
        )
        chances = self._probabilities(*terms.left_out)
        found = best_thresholds(
            chances.numpy(),
            terms.images.targets.numpy(),
            terms.voting.numpy(),
            THRESHOLD,
        )
        self.thresholds_ = torch.from_numpy(found).to(chances.dtype)

    def _own(self, tuning: Tuning) -> MultiLabelParameters:
        if not isinstance(tuning.parameters, MultiLabelParameters):
            raise ValueError("the tuning is for another head: tune this one anew")
        return tuning.parameters

    def _derived(self) -> Storages:
        return {**super()._derived(), **self._fitted.storages()}

    def _looked_at(
        self,
        classes: ClassSet,
        images: LabelledEmbeddings,
        rest: Rest,
        *,
        with_softmax: bool | None = None,
    ) -> Terms:
        return Terms.of(
            classes,
            images,
            self._negatives,
            self.logit_scale,
            self.keys,
            rest,
            with_softmax=with_softmax,
        )

    def _terms_of(self, queries: ImageEmbeddings) -> tuple[Tensor, ...]:
        """(n, N) z, f and, if it is asked, s of queries."""
        names = zero_shot_logits(queries.frozen, self.classes_, self.logit_scale)
        return self._fitted.of_queries(queries, names, self.keys(queries))

    def _probabilities(self, *terms: Tensor) -> Tensor:
        of_names, of_images = self._weighted(self.parameters_, *terms)
        return (of_names + of_images).sigmoid()

    def _weighted(
        self,
        parameters: MultiLabelParameters,
        names: Tensor,
        images: Tensor,
        softmax: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """What names and images add to the log-odds; classes without images have names alone."""
        terms = self._fitted
        own = torch.from_numpy(self._logistic.of_classes).to(names.dtype)
        of_names = parameters.names * names
        of_images = parameters.images * images + (parameters.offset + terms.base + own)
        if softmax is not None:
            of_images += parameters.softmax * softmax
        absent = terms.shots == 0
        if bool(absent.any()):
            of_names[:, absent] = BY_NAME.names[0] * names[:, absent]
            of_images[:, absent] = BY_NAME.offset[0] + terms.base
        return of_names, of_images
