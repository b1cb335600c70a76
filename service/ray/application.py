"""Application builder: both deployments, put together, for config files and ``serve --ray``."""

from __future__ import annotations

from typing import Any

from ray import serve
from ray.serve.config import RequestRouterConfig
from ray.serve.deployment import Application

from service.ray.encoder_replica import EncoderReplica
from service.ray.ingress_replica import IngressReplica
from service.settings import Settings

INGRESS, ENCODER = "Ingress", "Encoder"
"""Names of the deployments, by which config files set their options."""

# Requests are counted in /metrics, and by Ray; a line for each would cost more than counting.
_LOGGING = {"enable_access_log": False}
# Of an encoder replica: some batches, so that the next one is there when a pass ends.
_ENCODER = {
    "max_ongoing_requests": 64,
    "health_check_period_s": 5,
    "logging_config": _LOGGING,
    "max_surge_percent": 25,
}
# Of an ingress replica. Beyond what is worked on and waits Ray's proxies answer 503.
_INGRESS = {
    "max_ongoing_requests": 256,
    "max_queued_requests": 1024,
    "backpressure_config": {"retry_after_s": 1},
    "health_check_period_s": 5,
    "graceful_shutdown_timeout_s": 30,
    "max_surge_percent": 25,
    "logging_config": _LOGGING,
    "request_router_config": RequestRouterConfig(
        request_router_class="service.ray.classifier_router:ClassifierRouter"
    ),
}


def build(_: dict[str, str]) -> Application:
    """Build the application of a config file, which may set other options (deploy/ray/serve.yaml).

    Settings are environment variables of the replicas.
    """
    return application(None, {}, {})


def application(
    settings: Settings | None, ingress: dict[str, Any], encoder: dict[str, Any]
) -> Application:
    """Build the application.

    Args:
        settings: All of them; those of each replica's environment if None.
        ingress: Options of the ingress deployment besides those above.
        encoder: Options of the encoder deployment.
    """
    encoders = serve.deployment(EncoderReplica, name=ENCODER, **_ENCODER | encoder)
    replicas = serve.deployment(
        serve.ingress()(IngressReplica),
        name=INGRESS,
        **_INGRESS | ingress,
    )
    return replicas.bind(encoders.bind(settings), settings)
