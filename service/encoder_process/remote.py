"""The encoder of a process that holds no model: others encode for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from math import ceil
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from adapters.embeddings import ImageEmbeddings
from adapters.recipe import ChooseRecipe, Recipe
from service.encoder_process.connection import Connection
from service.encoder_process.described import DescribedEncoder
from service.encoder_process.description import Description
from service.encoder_process.endpoint import Endpoint, reach
from service.encoder_process.pool import ConnectionPool
from service.problems import EncoderAway

logger = logging.getLogger("handful")

T = TypeVar("T")

# Of what an encoder has in work, how many times that all processes together have slots for: what is
# encoded, what comes back, what goes there, and some for those who have more to do than others.
_SLOTS = 4
# Pictures of a connection at the least, if a pass takes as many.
_LEAST = 8


class RemoteEncoder(DescribedEncoder):
    """A backbone in other processes, as :class:`adapters.encoder.Encoder` describes one.

    While no encoder process lives, whoever encodes is refused; if another one lives, what broke off
    is done again there.

    Args:
        paths: Gives the path of each encoder's Unix socket, by its number.
        processes: How many share the encoders.
        recipe: How images are embedded, or what chooses that by the model's fingerprint.
        on_other: Called if an encoder that was started again has another backbone than before; what
            it embeds must not meet what is in memory.

    Raises:
        BackboneError: It cannot be loaded there; why.
    """

    def __init__(
        self,
        paths: Callable[[int], Path],
        processes: int,
        recipe: Recipe | ChooseRecipe,
        on_other: Callable[[str], None] = logger.critical,
    ) -> None:
        first = reach(paths(0), recipe)
        of = first.description
        self._slots = slots_each(of, processes)
        super().__init__(
            of,
            "in a process of its own",
            batch=self._slots,
            passes=of.encoders * of.connections,
        )
        self._images, self._texts = ConnectionPool(), ConnectionPool()
        self._endpoints = [
            Endpoint(
                paths(number),
                None if number else first,
                of,
                self._slots,
                self._images,
                self._texts,
                on_other,
            )
            for number in range(of.encoders)
        ]
        self._endpoints[0].settled.wait()

    @property
    def available(self) -> bool:
        """Whether an encoder process lives."""
        return any(endpoint.alive for endpoint in self._endpoints)

    def encode_pictures(
        self, pictures: Sequence[Tensor], *, background: bool = False
    ) -> ImageEmbeddings:
        """Embed n pictures of (H, W, 3) uint8.

        Args:
            pictures: Any number.
            background: Whether all that others wait for goes first.

        Raises:
            EncoderAway: No encoder process lives.
            EncodingFailed: The pass failed.
        """
        parts = [
            self._embed(pictures[start : start + self._slots], background)
            for start in range(0, len(pictures), self._slots)
        ]
        return ImageEmbeddings.concatenate(parts)

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Embed n texts as (n, d) unit vectors. Raises as :meth:`encode_pictures`."""
        if not texts:
            return torch.empty(0, self.width)
        return self._done_twice(self._texts, lambda connection: connection.encode_texts(texts))

    def close(self) -> None:
        """Let the encoder processes go."""
        for endpoint in self._endpoints:
            endpoint.close()

    def _embed(self, pictures: Sequence[Tensor], background: bool) -> ImageEmbeddings:
        return self._done_twice(
            self._images, lambda connection: connection.encode_pictures(pictures, background)
        )

    def _done_twice(self, pool: ConnectionPool, work: Callable[[Connection], T]) -> T:
        """Do something by a connection; once more if the encoder dies and another one lives."""
        for _ in range(2):
            try:
                with pool.taken() as connection:
                    return work(connection)
            except OSError as error:
                logger.warning("an encoder process ended while it was encoding: %s", error)
        raise EncoderAway


def slots_each(of: Description, processes: int) -> int:
    """Pictures that each connection has room for.

    All processes together have room for ``_SLOTS`` times what an encoder has in work, however many
    they are; at most a whole batch each, and at least a small one.
    """
    in_work = of.batch * of.passes
    share = ceil(_SLOTS * in_work / (processes * of.connections))
    return max(min(of.batch, _LEAST), min(of.batch, share))
