"""Cross-origin resource sharing (the CORS protocol of the Fetch standard)."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi_problem.cors import CorsConfiguration
from starlette.middleware.cors import CORSMiddleware

from service.settings import Settings

_METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE"]


def allow_origins(app: FastAPI, settings: Settings) -> None:
    """Let pages of the origins in the settings send requests and read answers."""
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=_METHODS,
            allow_headers=["*"],
            expose_headers=["Retry-After", "RateLimit", "RateLimit-Policy"],
            allow_private_network=True,
        )


def cors_of_defects(settings: Settings) -> CorsConfiguration | None:
    """The same for answers to defects, which are made outside of every middleware."""
    if not settings.cors_origins:
        return None
    return CorsConfiguration(settings.cors_origins, _METHODS, ["*"], allow_credentials=False)
