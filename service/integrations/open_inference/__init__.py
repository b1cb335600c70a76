"""Open Inference Protocol, version 2: classifiers as models of inference servers.

KServe, Triton, MLServer and OpenVINO Model Server speak it, and so do their clients. It is answered
over HTTP below ``/v2``, and over gRPC on a port of its own where one is set.
"""

from __future__ import annotations

from functools import partial

from service.api.integration import Contract
from service.integrations.open_inference.required_access import required_access
from service.integrations.open_inference.routes import router
from service.settings import Settings


def contract(settings: Settings) -> Contract:
    """The contract, with the port of gRPC where one is set."""
    beside = None
    if settings.grpc_port is not None:
        from service.integrations.open_inference.rpc.server import serving

        beside = partial(serving, settings=settings, port=settings.grpc_port)
    return Contract(
        router=router,
        required_access=required_access,
        beside=beside,
    )
