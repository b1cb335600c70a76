"""The encoder deployment: replicas that hold the model, and embed for all ingress replicas."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from adapters.recipe import ChooseRecipe, Recipe
from service.encoder import asked_recipe
from service.encoder_process.connection import EncodingFailed
from service.encoder_process.description import Description
from service.encoder_process.process import load_alone
from service.precision.database_recipe import DatabaseRecipe
from service.ray.hosted_backbones import HostedBackbone, HostedBackbones
from service.ray.replica_process import prepare_replica
from service.settings import Settings
from service.storage.engine import open_database
from service.storage.fingerprints import stored_fingerprints
from service.storage.location import sqlite_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger("handful")


class OtherBackboneThere(Exception):
    """The encoder has another backbone than whoever asks was started with."""


class EncoderReplica:
    """A replica with the backbone, on a GPU where Ray has given it one.

    It is ready when the backbone is loaded, in the recipe of the database; another one is loaded
    when an ingress replica asks for it, as while a database moves.

    Args:
        settings: All of them; those of the replica's environment if None.

    Raises:
        BackboneError: It cannot be loaded; why.
        StorageError: The database cannot be used.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        settings = settings or Settings()
        prepare_replica(settings)
        # Read where they lie: in Ray's object store, where nobody may write.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
        self._hosted = HostedBackbones(
            partial(load_alone, settings, "an encoder replica"),
            _recipe_of_start(settings),
            settings.max_batch,
        )

    async def model_fingerprint(self) -> str:
        """Of the model, by which an ingress replica chooses the recipe."""
        return self._hosted.model_fingerprint

    async def describe(self, recipe: Recipe) -> Description:
        """Of the backbone in a recipe, which is loaded if it is not there.

        Raises:
            BackboneError: It cannot be; why.
        """
        return (await self._hosted.of(recipe)).description

    async def encode_pictures(
        self,
        recipe: Recipe,
        fingerprint: str,
        pixels: NDArray[np.uint8],
        ingress: str,
        background: bool,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Embed (n, H, W, 3) pixels: (n, d) frozen and (n, d') corrected rows.

        Args:
            recipe: How.
            fingerprint: That the backbone must have: the embeddings are to meet others of it.
            pixels: One picture or more.
            ingress: Whose they are.
            background: Whether all that others wait for goes first.

        Raises:
            OtherBackboneThere: It has another one.
            EncodingFailed: The pass failed; why.
        """
        hosted = await self._checked(recipe, fingerprint)
        try:
            rows = await hosted.encode_pictures(torch.from_numpy(pixels), ingress, background)
        except Exception as error:
            logger.exception("a pass failed")
            raise EncodingFailed(f"{type(error).__name__}: {error}") from None
        return rows.frozen.numpy(), rows.corrected.numpy()

    async def encode_texts(
        self, recipe: Recipe, fingerprint: str, texts: Sequence[str]
    ) -> NDArray[np.float32]:
        """Embed n texts as (n, d) unit rows. Arguments and errors as :meth:`encode_pictures`."""
        hosted = await self._checked(recipe, fingerprint)
        try:
            return (await hosted.encode_texts(list(texts))).numpy()
        except Exception as error:
            logger.exception("texts were not embedded")
            raise EncodingFailed(f"{type(error).__name__}: {error}") from None

    async def ping(self) -> None:
        """Answer, which shows that this replica lives."""

    async def _checked(self, recipe: Recipe, fingerprint: str) -> HostedBackbone:
        hosted = await self._hosted.of(recipe)
        if hosted.backbone.fingerprint != fingerprint:
            raise OtherBackboneThere(hosted.backbone.name)
        return hosted


def _recipe_of_start(settings: Settings) -> ChooseRecipe:
    """What chooses the recipe that ingress replicas will ask for."""
    asked = asked_recipe(settings)
    if sqlite_file(settings.sqlalchemy_url) is not None:
        return asked  # the file is the one ingress replica's alone, which asks for what it holds
    engine = open_database(settings.sqlalchemy_url, settings.database_seconds, settings)
    try:
        return DatabaseRecipe(asked, stored_fingerprints(engine))
    finally:
        engine.dispose()
