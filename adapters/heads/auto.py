"""``auto``: the support images choose the head."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import Any, ClassVar, Self

from torch import Tensor

from adapters.change import Change
from adapters.embeddings import ClassSet, ImageEmbeddings, LabelledEmbeddings
from adapters.growing_support import GrowingSupport
from adapters.heads.cached import CachedHead
from adapters.heads.gda import GDAPlusPlus
from adapters.heads.head import Head, Scores
from adapters.heads.tip_adapter import TipAdapterPlusPlus
from adapters.memory import Storages
from adapters.rest import Rest, no_rest
from adapters.tuning.tuning import Tuning

# Nats of cross-entropy by which another head must be better than the first: less is chance.
MARGIN = 0.05


class Auto(Head):
    """The candidate with the lowest leave-one-out cross-entropy.

    Every candidate tunes itself on the support set; its cross-entropy at its own temperature is
    the measure, because the accuracies of a few dozen votes are often equal. The first candidate
    is preferred unless another is better by ``MARGIN``. Where nobody can vote (one image a
    class), ``without_votes`` is used with its defaults. docs/heads.md has the measurements behind
    all of this.

    Follows changes as the chosen head does; tuning costs the sum over the candidates.
    """

    #: All of one view, so that they can take over each other's cache.
    candidates: ClassVar[Mapping[str, type[CachedHead[Any]]]] = {
        "gda++": GDAPlusPlus,
        "tip-adapter++": TipAdapterPlusPlus,
    }
    without_votes: ClassVar[str] = "tip-adapter++"

    chosen_: CachedHead[Any]

    def tune(
        self, classes: ClassSet, images: LabelledEmbeddings, *, rest: Rest = no_rest
    ) -> Tuning:
        """Tune every candidate; the best one's tuning, with its name in ``head``."""
        tunings = {
            name: replace(self._new(name).tune(classes, images, rest=rest), head=name)
            for name in self.candidates
        }
        losses = {name: tuning.loss for name, tuning in tunings.items() if tuning.loss is not None}
        if not losses:
            return tunings[self.without_votes]
        first = next(iter(losses))
        best = min(losses, key=lambda name: losses[name] + (0 if name == first else MARGIN))
        return tunings[best]

    def left_out(
        self,
        classes: ClassSet,
        images: LabelledEmbeddings,
        tuning: Tuning,
        rows: Tensor | None = None,
        *,
        rest: Rest = no_rest,
    ) -> Tensor:
        """(m, N) logits of support images by the head that ``tuning`` chose."""
        return self._new(tuning.head).left_out(classes, images, tuning, rows, rest=rest)

    def score(self, queries: ImageEmbeddings, n_matches: int | None = None) -> Scores:
        """Score by the chosen head."""
        return self.chosen_.score(queries, n_matches)

    def prepared(
        self,
        change: Change,
        support: GrowingSupport | None = None,
        images: LabelledEmbeddings | None = None,
    ) -> Self:
        """As of any head; where another candidate is chosen now, that one takes over the cache."""
        support = self.support_.changed(change) if support is None else support
        after = copy(self)
        classes = self.classes_ if change.classes is None else change.classes
        after._place(classes, support, change.tuning or self.tuning_)
        other = self._new(after.tuning_.head)
        before = self.chosen_ if type(self.chosen_) is type(other) else other.after(self.chosen_)
        after.chosen_ = before.prepared(change, support, images)
        return after

    def catch_up(self, change: Change) -> None:
        """As the chosen head does."""
        self.chosen_.catch_up(change)

    def _fit(self, images: LabelledEmbeddings) -> None:
        """The chosen head is fitted with its cache."""
        chosen = self._new(self.tuning_.head)
        self.chosen_ = chosen.fit(self.classes_, self.support_.compact(), self.tuning_, images)
        self.support_ = self.chosen_.support_

    def _derived(self) -> Storages:
        return self.chosen_.storages()

    def _new(self, name: str) -> CachedHead[Any]:
        if name not in self.candidates:
            raise ValueError(f"the tuning is for {name or 'no head'!r}: tune auto anew")
        return self.candidates[name](self.logit_scale, self.cache_settings)
