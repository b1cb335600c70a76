"""What most heads share: zero-shot logits plus a term of the support images."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Generic, TypeVar, cast

import torch
from torch import Tensor

from adapters.cache import Matches
from adapters.embeddings import ClassSet, ImageEmbeddings, LabelledEmbeddings
from adapters.heads.absent import absent_offset, fill_absent
from adapters.heads.head import Head, Scores
from adapters.products import inner_products
from adapters.rest import Rest, no_rest, parts
from adapters.tuning.calibrated_tuning import calibrated
from adapters.tuning.temperature import calibrated_temperature
from adapters.tuning.tuning import Parameters, Tuning
from adapters.tuning.votes import Votes

# What calibrates one-shot answers on Caltech-101, in units of the trust in the class names.
DEFAULT_TEMPERATURE = 1.4


def zero_shot_logits(queries: Tensor, classes: ClassSet, logit_scale: float) -> Tensor:
    """``logit_scale · T_q Wᵀ``: (n, d) queries against N classes give (n, N).

    Zeros where the class names carry no meaning.
    """
    if classes.texts is None:
        return queries.new_zeros(len(queries), len(classes))
    return inner_products(queries, classes.texts).mul_(logit_scale)


def _zero_shot_in_parts(
    images: Tensor, classes: ClassSet, logit_scale: float, rest: Rest
) -> Tensor:
    """:func:`zero_shot_logits` of very many images."""
    cost = len(classes) * images.shape[1]
    logits = [
        zero_shot_logits(images[some], classes, logit_scale)
        for some in parts(len(images), cost, rest)
    ]
    return torch.cat(logits) if logits else zero_shot_logits(images, classes, logit_scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class TermParameters(Parameters):
    """What every term has.

    Attributes:
        absent: What a class without images gets beyond the mean of the others
            (:func:`adapters.heads.absent.fill_absent`); 0 if None.
    """

    absent: float | None = None


P = TypeVar("P", bound=TermParameters)


class TermHead(Head, Generic[P]):
    """``zero-shot logits + term of the support images``; a subclass is that term.

    P is the type of its hyperparameters, which the class names as ``parameters``, too. Classes
    without images get a value that lets their names compete
    (:func:`adapters.heads.absent.fill_absent`).
    """

    @property
    def parameters_(self) -> P:
        """The hyperparameters that it was fitted with."""
        return self._own(self.tuning_)

    def score(self, queries: ImageEmbeddings, n_matches: int | None = None) -> Scores:
        """Score n queries against the N classes.

        Args:
            queries: Both embeddings of the queries.
            n_matches: How many of the nearest support images to name; all if None.
        """
        zero_shot = zero_shot_logits(queries.frozen, self.classes_, self.logit_scale)
        if len(self.support_) == 0:
            return Scores(zero_shot, torch.zeros_like(zero_shot), Matches.none(len(queries)))
        term, matches = self._term(queries, zero_shot, n_matches)
        if self._all_present:
            return Scores(zero_shot, term, matches)
        offset = self.parameters_.absent or 0.0
        absent = (~self.present_).expand_as(term)
        return Scores(zero_shot, fill_absent(term, absent, offset), matches)

    def left_out(
        self,
        classes: ClassSet,
        images: LabelledEmbeddings,
        tuning: Tuning,
        rows: Tensor | None = None,
        *,
        rest: Rest = no_rest,
    ) -> Tensor:
        """(m, N) logits of support images, each without its own image.

        The left-out image's class is judged by the images that it keeps; a class that keeps
        none is treated like one without images. Costs about as much as ``score``.

        Args:
            classes: The classes.
            images: The support images.
            tuning: Hyperparameters.
            rows: (m,) the images that are asked for; all if None.
            rest: Called every few milliseconds.
        """
        rows = torch.arange(len(images)) if rows is None else rows
        zero_shot = zero_shot_logits(images.embeddings.frozen[rows], classes, self.logit_scale)
        if len(images) == 0:
            return zero_shot
        parameters = self._own(tuning)
        term = self._left_out_term(classes, images, parameters, rows, rest)
        columns = classes.columns(images.labels)
        shots = torch.bincount(columns, minlength=len(classes))
        absent = (shots == 0).repeat(len(rows), 1)
        alone = shots[columns[rows]] == 1
        absent[alone, columns[rows][alone]] = True
        return zero_shot + fill_absent(term, absent, parameters.absent or 0.0)

    def tune(
        self, classes: ClassSet, images: LabelledEmbeddings, *, rest: Rest = no_rest
    ) -> Tuning:
        """Choose hyperparameters and temperature from the support images alone.

        Leave-one-out: every setting is scored on the support images, each named by the others.
        Where every class has one image nobody can vote, and the head's defaults are used.

        Args:
            classes: The classes.
            images: The support images.
            rest: Called every few milliseconds.
        """
        known = classes.with_images(images.labels)
        columns = known.columns(images.labels)
        zero_shot = _zero_shot_in_parts(images.embeddings.frozen, known, self.logit_scale, rest)
        trust = calibrated_temperature(zero_shot, columns, Votes.class_weights(columns), rest=rest)
        votes = Votes.of(columns, len(known))
        if len(votes) == 0:
            return self._untuned(known, images, trust, rest)
        base = zero_shot[votes.rows]
        parameters, term = self._choose(known, images, base, votes, trust, rest)
        parameters = replace(parameters, absent=absent_offset(term, votes.targets))
        return self._calibrated(parameters, base + term, votes, trust, rest)

    def _untuned(
        self, known: ClassSet, images: LabelledEmbeddings, trust: float, rest: Rest
    ) -> Tuning:
        """What is sound without evidence, in units of the trust in the class names."""
        parameters = self._defaults(trust)
        if len(images) == 0:
            return Tuning(parameters)  # probabilities as the encoder was trained to give them
        term = self._left_out_term(known, images, parameters, torch.arange(len(images)), rest)
        columns = known.columns(images.labels)
        offset = absent_offset(term, columns, own_is_known=False)
        return Tuning(replace(parameters, absent=offset), DEFAULT_TEMPERATURE * trust)

    def _calibrated(
        self, parameters: P, logits: Tensor, votes: Votes, trust: float, rest: Rest
    ) -> Tuning:
        """The tuning of these parameters, under which the voters have these (v, N) logits."""
        return calibrated(parameters, logits, votes, rest=rest)

    def _own(self, tuning: Tuning) -> P:
        if not isinstance(tuning.parameters, self.parameters):
            raise ValueError("the tuning is for another head: tune this one anew")
        return cast(P, tuning.parameters)

    @abstractmethod
    def _choose(
        self,
        known: ClassSet,
        images: LabelledEmbeddings,
        base: Tensor,
        votes: Votes,
        trust: float,
        rest: Rest,
    ) -> tuple[P, Tensor]:
        """Search the hyperparameters.

        Args:
            known: The N classes that have images.
            images: The support images.
            base: (v, N) zero-shot logits of the voters.
            votes: Who votes; at least two.
            trust: Temperature at which zero-shot logits are calibrated.
            rest: Called every few milliseconds.

        Returns:
            The parameters, and the (v, N) term that they give, each row without its own image.
        """

    @abstractmethod
    def _defaults(self, trust: float) -> P:
        """Hyperparameters for a single image a class, where nobody can vote."""

    @abstractmethod
    def _term(
        self, queries: ImageEmbeddings, zero_shot: Tensor, n_matches: int | None
    ) -> tuple[Tensor, Matches]:
        """The (n, N) term of the support images, and those that are nearest.

        ``zero_shot`` are the (n, N) logits that it is added to, not to be changed.
        Called with a support set that is not empty. Columns of classes without images may hold
        anything.
        """

    @abstractmethod
    def _left_out_term(
        self,
        classes: ClassSet,
        images: LabelledEmbeddings,
        parameters: P,
        rows: Tensor,
        rest: Rest,
    ) -> Tensor:
        """The (m, N) term for (m,) support images, each without its own image."""
