"""What was measured on one machine: a file, which can be put beside those of others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

MACHINES = Path(__file__).with_name("machines")
Rounds = list[float]
"""A value for each round, in their order."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Processor(_Part):
    """Peaks of the processor.

    Attributes:
        instructions: Multiply-adds a second by precision, on registers.
        matrices: The same of products of matrices.
        bandwidth: Bytes a second by bytes of each core's block.
    """

    instructions: dict[str, Rounds] = {}
    matrices: dict[str, Rounds] = {}
    bandwidth: dict[int, Rounds] = {}

    def peak(self, precision: str) -> float:
        """The best of both ways and of all rounds; float32's where the precision has none.

        What else a machine does can only lower a round of it.
        """
        return max(
            rate
            for way in (self.instructions, self.matrices)
            for name in (precision, "float32")
            for rate in way.get(name, [])
        )


class Pass(_Part):
    """The image tower in one precision.

    Attributes:
        precision: Of its products.
        arithmetic: Images a second that the products alone allow.
        layers: Images a second that the roofline by layers allows, at ``batch``.
        ours: Images a second of the service's engine, all cores.
        layers_one: Seconds of a lone image by the roofline.
        ours_one: Seconds of a lone image by the service's engine.
        memory_share: Of the roofline's time, in layers bound by memory.
        batch: Images a pass.
        at_a_time: Passes.
    """

    precision: str
    arithmetic: Rounds
    layers: Rounds
    ours: Rounds
    layers_one: Rounds
    ours_one: Rounds
    memory_share: Rounds
    batch: int
    at_a_time: int


class Tower(_Part):
    """An image tower.

    Attributes:
        embeddings: That a pass gives.
        macs: Multiply-adds an image.
        depthwise: Of them in depthwise convolutions.
        weights: Numbers.
        moved: Numbers of activations that its layers read and write for an image.
        passes: By precision.
        missing: Precisions that this version or processor has not, and why.
    """

    embeddings: int
    macs: int
    depthwise: int
    weights: int
    moved: int
    passes: list[Pass]
    missing: dict[str, str] = {}


class Around(_Part):
    """What surrounds the encoder, processor seconds each.

    Attributes:
        decode: A 224-pixel JPEG by libjpeg-turbo alone.
        prepare: The same as the service does it: decoded, checked, framed.
        decode_large: A 640 x 480 JPEG by libjpeg-turbo alone.
        prepare_large: The same as the service does it, resized.
        parse: A request and its answer by a minimal server.
        parse_one: Seconds from sending to the answer of that server, one connection.
        generator: A request in the load generator, on the same cores.
    """

    decode: Rounds
    prepare: Rounds
    decode_large: Rounds
    prepare_large: Rounds
    parse: Rounds
    parse_one: Rounds
    generator: Rounds


class Compared(_Part):
    """A server beside Handful with a model of the same shape, in turns.

    Attributes:
        server: Its name.
        tower: The model.
        version: Of its package; empty for the project's own.
        note: How it was set up.
        many: Answers a second at 32 connections.
        many_handful: The same of Handful in float32, in the same rounds.
        one: Median seconds at one connection.
        one_handful: The same of Handful.
        memory: MiB after the load, all processes, shared pages once.
        memory_handful: The same of Handful.
        reason: Why there are no figures; empty where there are.
        date: When.
    """

    server: str
    tower: str
    version: str = ""
    note: str = ""
    many: Rounds = []
    many_handful: Rounds = []
    one: Rounds = []
    one_handful: Rounds = []
    memory: float = 0.0
    memory_handful: float = 0.0
    reason: str = ""
    date: str = ""


class Record(_Part):
    """All that was measured on one machine.

    Attributes:
        machine: Processor, cores, versions.
        commands: What measured each part, and when.
        processor: Its peaks.
        towers: By the model's name.
        around: What surrounds the encoder.
        servers: By tower and name.
    """

    machine: dict[str, Any]
    commands: dict[str, str] = {}
    processor: Processor = Field(default_factory=Processor)
    towers: dict[str, Tower] = {}
    around: Around | None = None
    servers: dict[str, Compared] = {}

    @property
    def name(self) -> str:
        """Of the machine, for a file."""
        told = f"{self.machine['processor']} {self.machine['cores']} cores"
        return re.sub(r"[^a-z0-9]+", "-", told.lower()).strip("-")


def read(path: Path) -> Record:
    """Read a record.

    Raises:
        OSError: It cannot be read.
        ValueError: It is none.
    """
    return Record.model_validate_json(path.read_bytes())


def write(record: Record, folder: Path = MACHINES) -> Path:
    """Write a record under its machine's name, in the place of an earlier one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{record.name}.json"
    path.write_text(record.model_dump_json(indent=1) + "\n")
    return path


def every(folder: Path = MACHINES) -> list[Record]:
    """All machines' records, by name."""
    return [read(path) for path in sorted(folder.glob("*.json"))]
