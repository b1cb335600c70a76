"""Which settings fit replicas behind Ray's proxies."""

from __future__ import annotations

from service.settings import Settings
from service.storage.errors import StorageError
from service.storage.location import sqlite_file


class SettingsError(StorageError):
    """Settings that cannot be kept behind Ray's proxies."""


def check_settings(settings: Settings, *, replicas: int) -> None:
    """See that settings are such as so many ingress replicas can keep.

    Raises:
        SettingsError: They are not; how to mend it.
    """
    if replicas > 1 and sqlite_file(settings.sqlalchemy_url) is not None:
        raise SettingsError(
            f"{replicas} ingress replicas need PostgreSQL, as an SQLite file is one process's"
            " alone: set HANDFUL_DATABASE_URL to postgresql+psycopg://USER:PASSWORD@HOST/DATABASE,"
            " or have one replica"
        )
    if settings.auth == "proxy":
        raise SettingsError(
            "HANDFUL_AUTH=proxy cannot be kept behind Ray's proxies, which take a client's address"
            " from what it writes itself: use HANDFUL_AUTH=keys"
        )
    if settings.grpc_port is not None:
        raise SettingsError(
            "behind Ray's proxies gRPC has no port of its own, which replicas of a node could not"
            " share: leave HANDFUL_GRPC_PORT out"
        )
