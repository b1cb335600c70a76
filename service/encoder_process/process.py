"""What an encoder process runs, from its start to its end."""

from __future__ import annotations

import logging
import socket
from functools import partial
from multiprocessing.connection import Connection

import torch

from adapters.backbones import Backbone
from adapters.collector import without_collections
from adapters.recipe import ChooseRecipe, Recipe
from service.encoder import load_encoder
from service.encoder_process.server import EncoderServer
from service.settings import Settings
from service.thread_pools import one_thread_a_call

logger = logging.getLogger("handful")


def encode_for_all(
    settings: Settings, listening: socket.socket, supervisor: Connection, number: int
) -> None:
    """Encode for whoever connects; blocks.

    Args:
        settings: All of them.
        listening: The Unix socket that processes of the service connect to.
        supervisor: Told how many encoder processes there are to be.
        number: Which of them this is, and so on which GPU.
    """
    encoders = devices(settings)
    if encoders > 1:
        settings = settings.model_copy(update={"device": f"cuda:{number}"})
    supervisor.send_bytes(b"%d" % encoders)
    EncoderServer(
        listening,
        partial(load_alone, settings, "an encoder process"),
        max_batch=settings.max_batch,
        encoders=encoders,
    ).serve()


def devices(settings: Settings) -> int:
    """How many encoder processes there are: one a GPU, or one for the processor."""
    gpu = settings.device == "cuda" or (settings.device is None and torch.cuda.is_available())
    return max(1, torch.cuda.device_count()) if gpu else 1


def load_alone(settings: Settings, where: str, recipe: Recipe | ChooseRecipe) -> Backbone:
    """Load a backbone into a process that does nothing but encode.

    Args:
        settings: All of them.
        where: What that process is called in the log.
        recipe: In which, or what chooses it by the model's fingerprint.

    Raises:
        BackboneError: It cannot be loaded; why.
    """
    logger.info("loading backbone %s into %s", settings.backbone, where)
    with without_collections():
        backbone = load_encoder(settings, recipe)
    if backbone.engine != "eager":
        one_thread_a_call()
    logger.info("%s on %s (%s) encodes", backbone.name, backbone.device, backbone.engine)
    return backbone
