"""Frames between a process of the service and an encoder process, on a Unix socket.

Each is a header of fixed size, and for some kinds text or numbers behind it. Pictures and their
embeddings are not among them: those lie in shared memory (:mod:`service.encoder_process.slots`).
"""

from __future__ import annotations

import socket
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

_HEADER = Struct("<BBxxII")
_MOST_BYTES = 2**26


class Kind(IntEnum):
    """What a frame says.

    To an encoder process: ``OPEN`` asks for a backbone; ``RECIPE`` says in which recipe; ``SLOTS``
    hands over shared memory, the descriptor of whose file comes along; ``IMAGES`` says that the
    first so many slots are to be embedded, and for which trace; ``TEXTS`` brings texts. From it:
    ``MODEL`` tells its fingerprint, by which the recipe is to be chosen; ``DESCRIPTION`` of the
    backbone, or ``REFUSED`` with the reason; ``DONE``, the rows are in the slots; ``ROWS`` of
    texts; ``FAILED``, with the reason.
    """

    OPEN = 1
    DESCRIPTION = 2
    REFUSED = 3
    SLOTS = 4
    IMAGES = 5
    TEXTS = 6
    DONE = 7
    ROWS = 8
    FAILED = 9
    MODEL = 10
    RECIPE = 11


class Frame(NamedTuple):
    """One message.

    Attributes:
        kind: What it says.
        items: How many images, slots or rows it is about.
        background: Whether others go before these images.
        payload: What follows the header.
    """

    kind: Kind
    items: int = 0
    background: bool = False
    payload: bytes = b""


class Closed(ConnectionError):
    """The other process has closed the connection, or has died."""


def send(connection: socket.socket, frame: Frame) -> None:
    """Send one.

    Raises:
        OSError: The other process is gone.
    """
    connection.sendall(_packed(frame))


def send_with_descriptor(connection: socket.socket, frame: Frame, descriptor: int) -> None:
    """Send one with a file descriptor, which stays open here.

    Raises:
        OSError: The other process is gone.
    """
    socket.send_fds(connection, [_packed(frame)], [descriptor])


def receive(connection: socket.socket) -> Frame:
    """Wait for one.

    Raises:
        Closed: The other process is gone.
        OSError: So it is, in another way.
    """
    return _rest(connection, _exactly(connection, _HEADER.size))


def receive_with_descriptor(connection: socket.socket) -> tuple[Frame, int]:
    """Wait for one that has a file descriptor, which belongs to the caller.

    Raises:
        Closed: The other process is gone, or sent none.
        OSError: So it is, in another way.
    """
    header, descriptors, _, _ = socket.recv_fds(connection, _HEADER.size, 1)
    if not descriptors:
        raise Closed("no file descriptor came")
    if len(header) < _HEADER.size:
        header += _exactly(connection, _HEADER.size - len(header))
    return _rest(connection, header), descriptors[0]


def _packed(frame: Frame) -> bytes:
    header = _HEADER.pack(frame.kind, frame.background, frame.items, len(frame.payload))
    return header + frame.payload


def _rest(connection: socket.socket, header: bytes) -> Frame:
    kind, background, items, length = _HEADER.unpack(header)
    if length > _MOST_BYTES:
        raise Closed(f"a frame of {length} bytes is none of ours")
    payload = _exactly(connection, length) if length else b""
    return Frame(Kind(kind), items, bool(background), payload)


def _exactly(connection: socket.socket, length: int) -> bytes:
    received = b""
    while len(received) < length:
        part = connection.recv(length - len(received), socket.MSG_WAITALL)
        if not part:
            raise Closed("the connection was closed")
        received += part
    return received
