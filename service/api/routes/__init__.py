"""The routes: one module for each group, whose ``router`` is registered here and nowhere else."""

from __future__ import annotations

from fastapi import APIRouter

from service.api.routes import (
    advice,
    audit,
    classes,
    classifiers,
    confused,
    embedding_map,
    embeddings,
    exchange,
    health,
    history,
    inbox,
    jobs,
    keys,
    notes,
    predictions,
    prompts,
    re_embedding,
    reports,
    reshaping,
    sessions,
    similar,
    studio,
    suggestions,
    support_images,
    thumbnails,
    usage,
)

ROUTERS: tuple[APIRouter, ...] = (
    classifiers.router,
    classes.router,
    support_images.router,
    reshaping.router,
    history.router,
    notes.router,
    predictions.router,
    suggestions.router,
    similar.router,
    embeddings.router,
    inbox.router,
    thumbnails.router,
    reports.router,
    confused.router,
    embedding_map.router,
    advice.router,
    exchange.router,
    jobs.router,
    prompts.router,
    re_embedding.router,
    keys.router,
    sessions.router,
    usage.router,
    audit.router,
    health.router,
    studio.router,
)
"""All routers, in the order of the OpenAPI document."""
