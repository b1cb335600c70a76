"""The ingress deployment: replicas that serve HTTP, with heads and database, by others' encoder."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from ray import serve
from ray.serve.handle import DeploymentHandle
from starlette.types import ASGIApp

from adapters.collector import without_collections
from adapters.recipe import ChooseRecipe, Recipe
from service.api.app import create_app
from service.composition import ServiceParts
from service.integrations import chosen
from service.ray.behind_proxy import BehindProxy
from service.ray.fitting_settings import check_settings
from service.ray.ray_encoder import RayEncoder
from service.ray.replica_process import prepare_replica
from service.settings import Settings
from service.telemetry.tracing import start_tracing

logger = logging.getLogger("handful")


class IngressReplica:
    """A replica with the application of ``handful serve``, ready when its parts have started.

    Args:
        encoders: The encoder deployment.
        settings: All of them; those of the replica's environment if None.

    Raises:
        StorageError: The settings are none of several replicas.
    """

    def __init__(self, encoders: DeploymentHandle, settings: Settings | None = None) -> None:
        self._settings = settings or Settings()
        prepare_replica(self._settings)
        self._encoders = encoders
        self._defect: str | None = None
        check_settings(self._settings, replicas=serve.get_replica_context().world_size)

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """Build the application; Ray runs its lifespan, in which the parts start.

        Raises as :meth:`service.composition.ServiceParts.start`, in the lifespan.
        """
        load = partial(_reach_encoders, self._encoders, self._replace)
        with without_collections():
            app = create_app(
                self._settings,
                start=partial(ServiceParts.start, load=load),
                answer_while_starting=False,
                tracing=start_tracing("service"),
                integrations=chosen(self._settings),
            )
        return BehindProxy(app, self._settings)

    def check_health(self) -> None:
        """Tell Ray whether to replace this replica.

        Raises:
            RuntimeError: It is to be replaced; why.
        """
        if self._defect is not None:
            raise RuntimeError(self._defect)

    def _replace(self, reason: str) -> None:
        logger.critical(reason)
        self._defect = reason


def _reach_encoders(
    encoders: DeploymentHandle,
    on_other: Callable[[str], None],
    _: Settings,
    recipe: Recipe | ChooseRecipe,
) -> RayEncoder:
    """Wait for an encoder replica to have loaded the backbone."""
    ingress = serve.get_replica_context().replica_id.unique_id
    return RayEncoder(encoders, recipe, ingress, on_other)
