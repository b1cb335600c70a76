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
        listening, partial(_load, settings), max_batch=settings.max_batch, encoders=encoders
    ).serve()


def devices(settings: Settings) -> int:
    """How many encoder processes there are: one a GPU, or one for the processor."""
    gpu = settings.device == "cuda" or (settings.device is None and torch.cuda.is_available())
    return max(1, torch.cuda.device_count()) if gpu else 1


def _load(settings: Settings, recipe: Recipe | ChooseRecipe) -> Backbone:
    logger.info("loading backbone %s into an encoder process", settings.backbone)
    with without_collections():
        backbone = load_encoder(settings, recipe)
    if backbone.engine != "eager":
        one_thread_a_call()
    logger.info("%s on %s (%s) encodes", backbone.name, backbone.device, backbone.engine)
    return backbone
