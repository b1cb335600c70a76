"""Pairs of an image and a text to learn from, and how they become examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.training.method import Preprocessing
from service.training.image_examples import ReadImage
from service.training.pair_examples import PairExamples
from service.training.text_pairs import Pair


@dataclass(frozen=True, slots=True)
class TrainingPairs:
    """Pairs to learn from (`TrainingData` for the runner).

    Attributes:
        pairs: Those to learn from.
        digest: Of all pairs, with those that are held out.
        name: How the record names them.
        classes: None.
    """

    pairs: Sequence[Pair]
    digest: str
    name: str
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def identity(self) -> dict[str, str]:
        """What a state must be of to be resumed from."""
        return {"pairs": self.digest}

    def examples(self, preprocessing: Preprocessing, read: ReadImage, seed: int) -> PairExamples:
        """The pairs as examples for the loop."""
        if preprocessing.tokenizer is None:
            raise ValueError("pairs need a tokenizer for their texts")
        return PairExamples(
            self.pairs, preprocessing.transform, preprocessing.tokenizer, read=read, seed=seed
        )

    def described(self, unreadable: int) -> dict[str, Any]:
        """What the record tells of them."""
        return {
            "pairs": self.name,
            "digest": self.digest,
            "learned_from": len(self),
            "unreadable_images": unreadable,
        }

    def counted(self, _unreadable: int) -> dict[str, int]:
        """Nothing beside that."""
        return {}
