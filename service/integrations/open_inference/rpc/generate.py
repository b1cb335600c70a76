"""Make the descriptors of the protocol's messages of their ``.proto``.

    python -m service.integrations.open_inference.rpc.generate

Needs grpcio-tools, which developers have. No Python is made of it: see ``messages.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

PROTO = Path(__file__).with_name("open_inference.proto")
DESCRIPTORS = PROTO.with_suffix(".binpb")


def descriptors(to: Path) -> int:
    """Write them; returns the exit status of the compiler."""
    from grpc_tools import protoc

    status: int = protoc.main(
        ["protoc", f"--proto_path={PROTO.parent}", f"--descriptor_set_out={to}", PROTO.name]
    )
    return status


if __name__ == "__main__":
    sys.exit(descriptors(DESCRIPTORS))
