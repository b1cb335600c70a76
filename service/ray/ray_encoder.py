"""The encoder of an ingress replica, which holds no model: encoder replicas encode for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from ray.exceptions import GetTimeoutError, RayError, RayTaskError
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle
from torch import Tensor

from adapters.embeddings import ImageEmbeddings
from adapters.recipe import ChooseRecipe, Recipe
from service.encoder_process.described import DescribedEncoder
from service.encoder_process.description import Description
from service.problems import EncoderAway, Overloaded
from service.ray.encoder_replica import OtherBackboneThere

logger = logging.getLogger("handful")

# Calls of an ingress replica at the same time: what it has decoded meanwhile goes in the next one.
_CALLS = 4
# Seconds between two looks at whether an encoder replica lives, and that one may take to answer.
_BEAT, _SILENCE = 2.0, 10.0
# Seconds in which a backbone is loaded, compiled and, at its first start, compared.
_LOADING = 1800.0


class RayEncoder(DescribedEncoder):
    """A backbone in encoder replicas, as :class:`adapters.encoder.Encoder` describes one.

    What a replica was embedding when it died is embedded by another one. Whoever encodes while none
    lives is refused; a thread looks whether one does.

    Args:
        encoders: The encoder deployment.
        recipe: How images are embedded, or what chooses that by the model's fingerprint.
        ingress: Which ingress replica this is.
        on_other: Called, with the reason, if an encoder replica has another backbone than before:
            what it embeds must not meet what is in memory.

    Raises:
        BackboneError: It cannot be loaded there; why.
    """

    def __init__(
        self,
        encoders: DeploymentHandle,
        recipe: Recipe | ChooseRecipe,
        ingress: str,
        on_other: Callable[[str], None],
    ) -> None:
        self._pictures, self._texts = encoders.encode_pictures, encoders.encode_texts
        self._ping = encoders.ping
        self._ingress = ingress
        self._on_other = on_other
        if not isinstance(recipe, Recipe):
            recipe = recipe(_answer(encoders.model_fingerprint.remote(), _LOADING))
        of: Description = _answer(encoders.describe.remote(recipe), _LOADING)
        super().__init__(of, "in encoder replicas", batch=of.batch, passes=_CALLS)
        self._alive = True
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="encoder watch", daemon=True).start()

    @property
    def available(self) -> bool:
        """Whether an encoder replica lives, as far as is known."""
        return self._alive

    def encode_pictures(
        self, pictures: Sequence[Tensor], *, background: bool = False
    ) -> ImageEmbeddings:
        """Embed n pictures of (H, W, 3) uint8.

        Args:
            pictures: Any number.
            background: Whether all that others wait for goes first.

        Raises:
            EncoderAway: No encoder replica lives.
            Overloaded: As many calls wait for one as may.
            EncodingFailed: The pass failed.
        """
        parts = []
        for start in range(0, len(pictures), self.batch):
            pixels = torch.stack(list(pictures[start : start + self.batch])).numpy()
            frozen, corrected = self._call(self._pictures, pixels, self._ingress, background)
            # Copied: what comes out of the object store is read-only, and holds its place there.
            parts.append(ImageEmbeddings(_tensor(frozen), _tensor(corrected)))
        return ImageEmbeddings.concatenate(parts)

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Embed n texts as (n, d) unit vectors. Raises as :meth:`encode_pictures`."""
        if not texts:
            return torch.empty(0, self.width)
        return _tensor(self._call(self._texts, list(texts)))

    def close(self) -> None:
        """Look no more whether an encoder replica lives."""
        self._closed.set()

    def _call(self, method: DeploymentHandle, *arguments: object) -> Any:
        """Have an encoder replica do something; another one once more, if the first one dies."""
        for _ in range(2):
            if not self._alive:
                break
            try:
                return self._answered(method.remote(self.recipe, self.fingerprint, *arguments))
            except OtherBackboneThere as error:
                self._on_other(f"the encoder replicas have another backbone: {error}")
                raise EncoderAway from error
            except BackPressureError as error:
                raise Overloaded(
                    "As many images wait for an encoder replica as may. Send the request again in"
                    " 1 s.",
                    headers={"retry-after": "1"},
                ) from error
            except RayTaskError:
                raise  # of the pass itself
            except (RayError, RayServeException, TimeoutError) as error:
                logger.warning("an encoder replica ended while it was encoding: %s", error)
        raise EncoderAway

    def _answered(self, call: Any) -> Any:
        """What was called returns or raises, however long it takes while a replica lives."""
        while True:
            try:
                return call.result(timeout_s=_SILENCE)
            except (TimeoutError, GetTimeoutError):
                if not self._alive:
                    call.cancel()
                    raise

    def _watch(self) -> None:
        while not self._closed.wait(_BEAT):
            try:
                _answer(self._ping.remote(), _SILENCE)
            except Exception as error:
                if self._alive:
                    logger.error("no encoder replica answers: %s", error)
                self._alive = False
            else:
                self._alive = True


def _answer(call: Any, seconds: float) -> Any:
    """What was called returns, or raises; cancelled if that takes too long."""
    try:
        return call.result(timeout_s=seconds)
    except (TimeoutError, GetTimeoutError):
        call.cancel()
        raise


def _tensor(rows: np.ndarray[Any, np.dtype[np.float32]]) -> Tensor:
    return torch.from_numpy(rows.copy())
