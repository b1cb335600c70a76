"""``auto``: KRR++ and GDA++ pooled, as strongly as the support images vouch for."""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from adapters.cache import DEFAULT_SETTINGS, CacheSettings
from adapters.change import Change
from adapters.embeddings import ClassSet, LabelledEmbeddings, View
from adapters.heads.absent import absent_offset
from adapters.heads.discriminant import DiscriminantHead
from adapters.heads.gda import GDAParameters, GDAPlusPlus
from adapters.heads.head import Head
from adapters.heads.krr import KRRParameters, KRRPlusPlus
from adapters.heads.term import TermParameters, zero_shot_logits
from adapters.memory import Storages
from adapters.rest import Rest
from adapters.tuning.at_shots import AtShots, interpolated
from adapters.tuning.calibrated_tuning import calibrated
from adapters.tuning.search import standardised
from adapters.tuning.stacking import Prior, stacked_weights
from adapters.tuning.tuning import Parameters, Tuning
from adapters.tuning.votes import Votes


@dataclass(frozen=True, slots=True)
class Expected(AtShots):
    """What suits generic tasks of so many images a class, and how much they differ in it.

    Attributes:
        shots: Images a class.
        names: Weight of the calibrated zero-shot term, and its standard deviation.
        images: Weight of the term of the images, in units of :func:`image_unit`, and its own.
        gaussians: What of that term is GDA++'s, against 1 of KRR++'s; both of unit size.
    """

    names: tuple[float, float]
    images: tuple[float, float]
    gaussians: float


# Mean over nine families of generic tasks, of their median weights that are best with hindsight,
# and the standard deviation among them (benchmarks/stacking.py). At one shot less than that: images
# are not to overrule names that are better.
EXPECTED = (
    Expected(1, (1.00, 0.26), (20.0, 6.0), 0.0),
    Expected(2, (0.64, 0.17), (10.1, 3.8), 0.25),
    Expected(4, (0.50, 0.16), (9.8, 2.8), 0.33),
    Expected(8, (0.40, 0.14), (9.1, 2.2), 0.42),
    Expected(16, (0.36, 0.15), (8.3, 1.8), 0.50),
)
# What names lose of their say over images where they name the support images perfectly.
_LOST_TO_NAMES = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoParameters(TermParameters):
    """The weights of names and of both terms, and what GDA++ was tuned on.

    Attributes:
        names: What calibrated class names count; the temperature is the trust in them over this.
        krr: α of KRR++.
        gda: α of GDA++; 0 leaves it out.
        spread: As of :class:`adapters.heads.gda.GDAParameters`.
        images: Likewise.
    """

    names: float
    krr: float
    gda: float = 0.0
    spread: float | None = None
    images: float | None = None

    def of_parts(self) -> tuple[KRRParameters, GDAParameters]:
        """The parameters of both."""
        return (
            KRRParameters(alpha=self.krr),
            GDAParameters(alpha=self.gda, spread=self.spread, images=self.images),
        )


class Auto(DiscriminantHead[AutoParameters]):
    """``logit_scale · T_q Wᵀ + α₁ · KRR++ + α₂ · GDA++``.

    Least squares are sound from the first image on, Gaussians better the more images there are;
    pooled they are better than either. Left-out support images say how much names and images count
    (:func:`adapters.tuning.stacking.stacked_weights`), the less so the fewer there are: with one
    image a class nobody can vote, and what suits generic tasks is used. docs/heads.md has the
    measurements behind all of this.

    Follows changes as both do; tuning costs the sum of both.
    """

    view: ClassVar[View] = "corrected"
    parameters: ClassVar[type[Parameters]] = AutoParameters

    _krr: KRRPlusPlus
    _gda: GDAPlusPlus

    def __init__(self, logit_scale: float = 100.0, cache: CacheSettings = DEFAULT_SETTINGS) -> None:
        super().__init__(logit_scale, cache)
        self._krr, self._gda = KRRPlusPlus(logit_scale, cache), GDAPlusPlus(logit_scale, cache)

    def _choose(
        self,
        known: ClassSet,
        images: LabelledEmbeddings,
        base: Tensor,
        votes: Votes,
        trust: float,
        rest: Rest,
    ) -> tuple[AutoParameters, Tensor]:
        names = (base / trust).log_softmax(dim=1)
        scores, ridge = self._krr.unweighted(known, images, votes.rows, rest)
        gda, discriminants = self._gda.untuned(known, images, votes.rows, rest)
        of_gda = standardised(discriminants)
        expected = expected_at(len(images) / len(known))
        unit = image_unit(names, votes, ridge.spread)
        term = unit * (scores + expected.gaussians * of_gda.values)
        means, deviations = zip(expected.names, expected.images, strict=True)
        found = stacked_weights([names, term], votes, Prior(means, deviations), rest=rest)
        # A negative weight would turn what is said into its opposite.
        of_names, of_images = (max(w, 0.05 * m) for w, m in zip(found, means, strict=True))
        alpha = of_images * trust / of_names
        parameters = AutoParameters(
            names=of_names,
            krr=alpha * unit,
            gda=alpha * unit * expected.gaussians * of_gda.scale,
            spread=gda.spread,
            images=gda.images,
        )
        return parameters, alpha * term

    def _calibrated(
        self, parameters: AutoParameters, logits: Tensor, votes: Votes, trust: float, rest: Rest
    ) -> Tuning:
        """Stacking has calibrated them already."""
        tuning = calibrated(parameters, logits, votes, rest=rest)
        return replace(tuning, temperature=trust / parameters.names)

    def _untuned(
        self, known: ClassSet, images: LabelledEmbeddings, trust: float, rest: Rest
    ) -> Tuning:
        """What is expected to suit one image a class."""
        parameters = self._defaults(trust)
        if len(images) == 0:
            return Tuning(parameters)  # probabilities as the encoder was trained to give them
        columns = known.columns(images.labels)
        everyone = Votes.of(columns, len(known), singles=True)
        frozen = images.embeddings.frozen[everyone.rows]
        names = (zero_shot_logits(frozen, known, self.logit_scale) / trust).log_softmax(dim=1)
        scores, ridge = self._krr.unweighted(known, images, everyone.rows, rest)
        krr = parameters.krr * image_unit(names, everyone, ridge.spread)
        offset = absent_offset(krr * scores, everyone.targets, own_is_known=False)
        parameters = replace(parameters, krr=krr, absent=offset)
        return Tuning(parameters, trust / parameters.names)

    def _defaults(self, trust: float) -> AutoParameters:
        of_names, of_images = EXPECTED[0].names[0], EXPECTED[0].images[0]
        return AutoParameters(names=of_names, krr=of_images * trust / of_names)

    def _fit(self, images: LabelledEmbeddings) -> None:
        for part in self._placed():
            part._fit(images)

    def _follow(self, before: Head, change: Change) -> None:
        krr, gda = self._krr, self._gda
        for part in self._placed():
            part._follow(krr if isinstance(part, KRRPlusPlus) else gda, change)

    def _placed(self) -> list[KRRPlusPlus | GDAPlusPlus]:
        """The parts that count, of the same support set as this head; others' are left alone."""
        parameters = self.parameters_
        self._krr = copy(self._krr)
        # One that does not count holds nothing.
        fresh = GDAPlusPlus(self.logit_scale, self.cache_settings)
        self._gda = copy(self._gda) if parameters.gda else fresh
        of_krr, of_gda = parameters.of_parts()
        self._krr.share(self, Tuning(of_krr))
        self._gda.share(self, Tuning(of_gda))
        return [self._krr, self._gda] if parameters.gda else [self._krr]

    def _scores(self, keys: Tensor) -> Tensor:
        scores = self._krr._scores(keys)
        return scores + self._gda._scores(keys) if self.parameters_.gda else scores

    def _left_out_scores(
        self,
        known: ClassSet,
        images: LabelledEmbeddings,
        parameters: AutoParameters,
        rows: Tensor,
        rest: Rest,
    ) -> Tensor:
        of_krr, of_gda = parameters.of_parts()
        scores = self._krr._left_out_scores(known, images, of_krr, rows, rest)
        if not parameters.gda:
            return scores
        return scores + self._gda._left_out_scores(known, images, of_gda, rows, rest)

    def fitted(self) -> Storages:
        """What is fitted, in memory; without the cache."""
        of_gda = self._gda.fitted() if self.parameters_.gda else {}
        return {**self._krr.fitted(), **of_gda}


def image_unit(names: Tensor, asked: Votes, spread: float) -> float:
    """What a weight of 1 is of the term of the images.

    Images that are alike differ in less: weights grow with the mean squared distance from their
    centre, as those of classes of one spread would. And names that name the support images well
    leave less to say: where they are right for certain, half.

    Args:
        names: (v, N) log-probabilities of support images by their names.
        asked: Who these are, and what each counts.
        spread: The mean squared distance.
    """
    n_classes = names.shape[1]
    if n_classes < 2:
        return spread
    own = names.gather(1, asked.targets.unsqueeze(1)).squeeze(1).double()
    explained = 1 + float(own @ asked.weights) / math.log(n_classes)
    return spread * (1 - _LOST_TO_NAMES * min(max(explained, 0.0), 1.0))


def expected_at(shots: float) -> Expected:
    """Expected weights at a mean number of images a class, between those that were measured."""
    return interpolated(EXPECTED, shots)
