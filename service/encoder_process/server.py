"""The encoder process: loads backbones that are asked for, and encodes for all who ask."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Lock, Thread
from typing import Any

import torch
from torch import Tensor

from adapters.backbones import Backbone, BackboneError
from adapters.embeddings import ImageEmbeddings
from adapters.recipe import ChooseRecipe, Recipe
from service.encoder_process.description import Description
from service.encoder_process.frames import (
    Closed,
    Frame,
    Kind,
    receive,
    receive_with_descriptor,
    send,
)
from service.encoder_process.image_passes import ImagePasses, Session
from service.encoder_process.pinned import FromPinned, pin
from service.encoder_process.slots import Layout, Slots
from service.encoder_process.text_passes import TextPasses

logger = logging.getLogger("handful")

Load = Callable[[Recipe | ChooseRecipe], Backbone]
"""Loads the backbone in a recipe, or in the one that is chosen by the model's fingerprint."""
# Seconds in which whoever connects says what it wants.
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Hosted:
    """A backbone with what encodes by it, and the connections that notice its end."""

    description: Description
    images: ImagePasses
    texts: TextPasses
    backbone: Backbone
    watching: set[socket.socket] = field(default_factory=set)


class EncoderServer:
    """Accepts connections and lets them encode.

    A connection says first what it is for: ``images``, of which the slots follow; ``texts``; or
    ``watch``, which is told nothing but the end. It says in which recipe, or is told the model's
    fingerprint to choose by. Backbones are loaded when the first asks for them, and go when nobody
    watches them any more, but for the last one.

    Args:
        listening: A Unix socket that others keep open too: who connects while no encoder process
            lives is accepted by the next one.
        load: Loads a backbone.
        max_batch: Most images in one pass; what suits the engine if None.
        encoders: How many processes such as this one there are.
    """

    def __init__(
        self,
        listening: socket.socket,
        load: Load,
        *,
        max_batch: int | None = None,
        encoders: int = 1,
    ) -> None:
        self._listening = listening
        self._load = load
        self._max_batch = max_batch
        self._encoders = encoders
        self._loading = Lock()
        self._hosted: dict[Recipe, Hosted] = {}

    def serve(self) -> None:
        """Accept connections until the listening socket is closed; blocks."""
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            Thread(target=self._welcome, args=(connection,), name="welcome", daemon=True).start()

    def close(self) -> None:
        """Let everybody go; for tests, as a process just ends."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self._listening.close()
        with self._loading:
            for hosted in self._hosted.values():
                hosted.images.close()
                hosted.texts.close()
                for connection in hosted.watching:
                    with suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)
            self._hosted.clear()

    def _welcome(self, connection: socket.socket) -> None:
        """Take one in: from its first frame to where it is listened to."""
        try:
            connection.settimeout(_PATIENCE)
            asked = _told(connection, Kind.OPEN)
            connection.settimeout(None)  # to choose a recipe may take minutes
            known = asked["recipe"]
            recipe = Recipe(**known) if known else partial(_choose, connection)
            watching = connection if asked["purpose"] == "watch" else None
            try:
                hosted = self._host(recipe, watching)
            except ConnectionError:
                raise
            except Exception as error:
                if not isinstance(error, BackboneError):
                    logger.exception("the backbone was not loaded")
                told = {"expected": isinstance(error, BackboneError), "message": str(error)}
                send(connection, Frame(Kind.REFUSED, payload=json.dumps(told).encode()))
                connection.close()
                return
            send(connection, Frame(Kind.DESCRIPTION, payload=hosted.description.to_json()))
            self._admit(connection, hosted, asked["purpose"], asked["process"])
        except (OSError, ValueError) as error:
            logger.warning("a connection to the encoder process ended early: %s", error)
            connection.close()
        self._release(connection)

    def _admit(self, connection: socket.socket, hosted: Hosted, purpose: str, process: str) -> None:
        if purpose == "texts":
            hosted.texts.join(connection)
        elif purpose == "images":
            frame, descriptor = receive_with_descriptor(connection)
            try:
                slots = Slots(descriptor, layout(hosted.description, frame.items))
            finally:
                os.close(descriptor)
            pin(slots.memory, hosted.backbone.device)
            hosted.images.join(Session(connection, slots, process))
        else:
            with suppress(OSError):
                receive(connection)  # it has nothing more to say: it goes, one day
            connection.close()

    def _host(self, recipe: Recipe | ChooseRecipe, watching: socket.socket | None) -> Hosted:
        """The backbone of a recipe; it stays at least as long as the connection that watches it."""
        with self._loading:
            if self._hosted and not isinstance(recipe, Recipe):
                recipe = recipe(next(iter(self._hosted.values())).backbone.model_fingerprint)
            if not isinstance(recipe, Recipe) or recipe not in self._hosted:
                backbone = self._load(recipe)
                batch = self._max_batch or backbone.batch
                recipe = backbone.recipe
                self._hosted[recipe] = Hosted(
                    Description.of(backbone, batch, self._encoders),
                    ImagePasses(_passes_of(backbone), batch, backbone.passes),
                    TextPasses(backbone.encode_texts),
                    backbone,
                )
            hosted = self._hosted[recipe]
            if watching is not None:
                hosted.watching.add(watching)
            return hosted

    def _release(self, connection: socket.socket) -> None:
        """Forget a connection; a backbone that nobody watches goes, if others are in use."""
        with self._loading:
            left = [recipe for recipe, one in self._hosted.items() if connection in one.watching]
            for recipe in left:
                self._hosted[recipe].watching.remove(connection)
                used = any(one.watching for one in self._hosted.values())
                if used and not self._hosted[recipe].watching:
                    released = self._hosted.pop(recipe)
                    released.images.close()
                    released.texts.close()
                    logger.info("nobody embeds in %s any more", recipe)


def _told(connection: socket.socket, kind: Kind) -> dict[str, Any]:
    """What a frame of this kind says as JSON.

    Raises:
        OSError: Another one came, or none.
    """
    frame = receive(connection)
    if frame.kind is not kind:
        raise Closed(f"{frame.kind.name} at the wrong time")
    told: dict[str, Any] = json.loads(frame.payload)
    return told


def _choose(connection: socket.socket, model: str) -> Recipe:
    """Let whoever has connected choose a recipe, by the model's fingerprint.

    Raises:
        OSError: It is gone.
    """
    send(connection, Frame(Kind.MODEL, payload=model.encode()))
    return Recipe(**_told(connection, Kind.RECIPE))


def layout(of: Description, slots: int) -> Layout:
    """How slots for a backbone lie in memory."""
    return Layout(slots, of.height, of.breadth, of.width, of.corrected_width)


def _passes_of(backbone: Backbone) -> Callable[[Sequence[Tensor]], ImageEmbeddings]:
    """How a backbone takes pixels that lie in several places."""
    if backbone.device.type == "cuda":
        return FromPinned(backbone)
    # Where they lie in one place, they are read there.
    return lambda parts: backbone.encode_images(
        parts[0] if len(parts) == 1 else torch.cat(list(parts))
    )
