"""The routes: one module for each group, whose ``router`` is registered here and nowhere else."""

from __future__ import annotations

from fastapi import APIRouter

from service.api.routes import classifiers, health, predictions, reports, support_set

ROUTERS: tuple[APIRouter, ...] = (
    classifiers.router,
    support_set.router,
    predictions.router,
    reports.router,
    health.router,
)
"""All routers, in the order of the OpenAPI document."""
