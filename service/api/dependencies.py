"""FastAPI dependencies of the routes: the parts of the service, and parameters of paths."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request

from service.access.principal import principal_of
from service.api.openapi.schema_types import IMAGE_ID_SCHEMA, LABEL_SCHEMA, NAME_SCHEMA
from service.composition import ServiceParts
from service.name_validation import checked_classifier
from service.problems import NotReady
from service.reports.embedding_map import MapCache
from service.reports.report_cache import ReportCache
from service.tenancy import qualified

# Where what stands around the routes leaves recorders of a request's changes, in its ASGI scope.
RECORDERS = "handful.recorders"


async def _parts(request: Request) -> ServiceParts:
    parts: ServiceParts | None = request.app.state.parts
    if parts is None:
        raise NotReady(
            "The backbone is still loading. Try again in a few seconds; GET /readyz tells when.",
            headers={"retry-after": "5"},
        )
    recorders = request.scope.get(RECORDERS)
    return parts.recording(recorders) if recorders else parts


async def _reports(request: Request) -> ReportCache:
    reports: ReportCache = request.app.state.reports
    return reports


async def _maps(request: Request) -> MapCache:
    maps: MapCache = request.app.state.maps
    return maps


async def _name(
    request: Request,
    name: Annotated[
        str,
        Path(
            description="The classifier's name.",
            examples=["land-cover"],
            json_schema_extra=NAME_SCHEMA,
        ),
    ],
) -> str:
    return qualified(principal_of(request.scope).tenant, checked_classifier(name))


ReadyParts = Annotated[ServiceParts, Depends(_parts)]
Reports = Annotated[ReportCache, Depends(_reports)]
Maps = Annotated[MapCache, Depends(_maps)]
Name = Annotated[str, Depends(_name)]
"""The qualified name of the classifier in the path (``service/tenancy.py``)."""
Label = Annotated[
    str,
    Path(
        description="The class's label; any script, every character one that can be seen. Spaces"
        " around it do not count. `not-these` is that of explicit negatives, which are never"
        " answered.",
        examples=["forest"],
        json_schema_extra=LABEL_SCHEMA,
    ),
]
ImageId = Annotated[
    str,
    Path(
        description="The support image's id.",
        examples=["0b54c1a2f6e84bb0b6c5d1f6b7a3a9f1"],
        json_schema_extra=IMAGE_ID_SCHEMA,
    ),
]
