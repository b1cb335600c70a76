"""Every setting, read from the environment as ``HANDFUL_...``; one module for each subject."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from service.environment import EnvironmentSettings
from service.settings.access import AccessSettings
from service.settings.classifiers import ClassifierMemorySettings
from service.settings.encoding import EncodingSettings
from service.settings.fetching import FetchingSettings
from service.settings.jobs import JobSettings
from service.settings.label_studio import LabelStudioSettings
from service.settings.limits import LimitSettings
from service.settings.open_inference import OpenInferenceSettings
from service.settings.postgresql import PostgreSQLSettings
from service.settings.serving import ServingSettings
from service.settings.storage import StorageSettings
from service.settings.telemetry import TelemetrySettings


class Settings(
    ServingSettings,
    AccessSettings,
    EncodingSettings,
    StorageSettings,
    PostgreSQLSettings,
    LimitSettings,
    ClassifierMemorySettings,
    FetchingSettings,
    OpenInferenceSettings,
    LabelStudioSettings,
    JobSettings,
    TelemetrySettings,
    EnvironmentSettings,
):
    """Settings of the service; command line options of the same name win over these."""

    @model_validator(mode="after")
    def _proxies_that_sign_in(self) -> Self:
        """Nobody could be believed otherwise."""
        if self.auth == "proxy" and not self.trusted_proxies:
            raise ValueError(
                "HANDFUL_AUTH=proxy needs the addresses of the proxy in HANDFUL_TRUSTED_PROXIES,"
                " such as 127.0.0.1"
            )
        return self

    @model_validator(mode="after")
    def _rates_that_are_shared(self) -> Self:
        """By a server that all replicas reach; processes of one machine share them without."""
        if self.rate_limits == "database" and not self.sqlalchemy_url.startswith(
            "postgresql+psycopg:"
        ):
            raise ValueError(
                "HANDFUL_RATE_LIMITS=database needs HANDFUL_DATABASE_URL=postgresql+psycopg://...;"
                " on SQLite one machine serves, which counts for itself (HANDFUL_RATE_LIMITS="
                "machine)"
            )
        if self.rate_limits == "database" and self.database_transaction_pooling:
            raise ValueError(
                "HANDFUL_RATE_LIMITS=database keeps a session, which"
                " HANDFUL_DATABASE_TRANSACTION_POOLING has not: let each machine count for itself"
                " (HANDFUL_RATE_LIMITS=machine), or connect to the server itself"
            )
        return self
