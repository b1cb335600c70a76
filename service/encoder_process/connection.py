"""A connection to an encoder process, and the slots that go with it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from adapters.backbone_errors import BackboneError
from adapters.embeddings import ImageEmbeddings
from adapters.recipe import ChooseRecipe, Recipe
from service.encoder_process.description import Description
from service.encoder_process.frames import Frame, Kind, receive, send, send_with_descriptor
from service.encoder_process.slots import Layout, Slots
from service.telemetry.propagation import told_context

Purpose = Literal["watch", "images", "texts"]
# Of what the kernel takes as the path of a Unix socket, 108 bytes with a zero.
_LONGEST = 100


class EncodingFailed(Exception):
    """A pass failed in the encoder process; its log has the traceback."""


class Connection:
    """One connection, for one thread at a time.

    Args:
        path: Of the encoder's Unix socket.
        recipe: How images are embedded, or what chooses that by the model's fingerprint.
        purpose: What it is for.

    Attributes:
        path: The same.
        description: Of the backbone.

    Raises:
        BackboneError: It cannot be loaded there; why.
        EncodingFailed: It cannot be loaded, by a defect.
        OSError: There is no encoder process.
    """

    def __init__(self, path: Path, recipe: Recipe | ChooseRecipe, purpose: Purpose) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            with _reachable(path) as address:
                self._socket.connect(address)
            known = asdict(recipe) if isinstance(recipe, Recipe) else None
            opening = {"recipe": known, "purpose": purpose, "process": str(os.getpid())}
            send(self._socket, Frame(Kind.OPEN, payload=json.dumps(opening).encode()))
            answer = receive(self._socket)
            if answer.kind is Kind.MODEL and not isinstance(recipe, Recipe):
                chosen = asdict(recipe(answer.payload.decode()))
                send(self._socket, Frame(Kind.RECIPE, payload=json.dumps(chosen).encode()))
                answer = receive(self._socket)
            if answer.kind is Kind.REFUSED:
                raise _refusal(answer)
            self.description = Description.from_json(answer.payload)
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        """End it; who waits for an answer on it gets an OSError."""
        with suppress(OSError):  # the other side was quicker
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def wait(self) -> None:
        """Wait until the other process is gone, or :meth:`close`."""
        try:
            receive(self._socket)
        except OSError:
            return

    def share(self, count: int) -> None:
        """Make slots for pictures.

        Raises:
            OSError: The encoder process is gone, or there is no memory.
        """
        of = self.description
        layout = Layout(count, of.height, of.breadth, of.width, of.corrected_width)
        self._slots, descriptor = Slots.create(layout)
        try:
            send_with_descriptor(self._socket, Frame(Kind.SLOTS, count), descriptor)
        finally:
            os.close(descriptor)

    def encode_pictures(self, pictures: Sequence[Tensor], background: bool) -> ImageEmbeddings:
        """Embed (H, W, 3) uint8 pictures, no more than there are slots.

        Raises:
            EncodingFailed: The pass failed; why.
            OSError: The encoder process is gone.
        """
        count = len(pictures)
        # Written straight to where the encoder reads them.
        torch.stack(list(pictures), out=self._slots.pixels[:count])
        send(self._socket, Frame(Kind.IMAGES, count, background, told_context()))
        _checked(receive(self._socket))
        # Copied, as the slots are used again.
        return ImageEmbeddings(
            self._slots.frozen[:count].clone(), self._slots.corrected[:count].clone()
        )

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Embed n texts as (n, d) unit rows.

        Raises:
            EncodingFailed: The pass failed; why.
            OSError: The encoder process is gone.
        """
        send(self._socket, Frame(Kind.TEXTS, payload=json.dumps(list(texts)).encode()))
        answer = _checked(receive(self._socket))
        rows = torch.frombuffer(bytearray(answer.payload), dtype=torch.float32)
        return rows.view(answer.items, self.description.width)


def _checked(answer: Frame) -> Frame:
    if answer.kind is Kind.FAILED:
        raise EncodingFailed(answer.payload.decode(errors="replace"))
    return answer


def _refusal(answer: Frame) -> Exception:
    told = json.loads(answer.payload)
    kind = BackboneError if told["expected"] else EncodingFailed
    return kind(told["message"])


@contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """An address of a Unix socket, whose path the kernel may find too long."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
