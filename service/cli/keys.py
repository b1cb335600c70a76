"""``handful keys``: keys made, listed, rotated and revoked where the database is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.database import opened_database

if TYPE_CHECKING:
    from service.storage.stored_keys import StoredKey

keys = typer.Typer(no_args_is_help=True, help="Keys of the service (HANDFUL_AUTH=keys).")

_DataDir = Annotated[Path | None, typer.Option(help="Folder of the database.")]
_KeyId = Annotated[str, typer.Argument(help="Id of the key: its part in the middle.")]
_Tenant = Annotated[str, typer.Option(help="Whose; the default tenant's administrators operate.")]


@keys.command()
def create(
    tenant: _Tenant = "",
    scopes: Annotated[
        str, typer.Option(help="What it allows: read, predict, write, admin; by commas.")
    ] = "read,predict,write",
    classifiers: Annotated[
        str, typer.Option(help="The only ones that it is for, by commas; all by default.")
    ] = "",
    expires: Annotated[
        str, typer.Option(help="When it ends: 90d, 12h, 30m, or a date as 2027-01-31.")
    ] = "",
    name: Annotated[str, typer.Option(help="What it is for, to know it again.")] = "",
    requests_per_second: Annotated[
        float | None, typer.Option(min=0.001, max=1e6, help="Most requests a second with it.")
    ] = None,
    images_per_second: Annotated[
        float | None, typer.Option(min=0.001, max=1e6, help="Most images a second in them.")
    ] = None,
    data_dir: _DataDir = None,
) -> None:
    """Make a key and print it: the only time that it is shown. Also beside a running service."""
    from pydantic import ValidationError

    from service.access.limits import RateLimits
    from service.api.schemas.keys import KeyIn
    from service.storage.audit import AuditedKeys
    from service.storage.keys import create_key
    from service.storage.stored_keys import KeyTerms

    try:
        asked = KeyIn(
            name=name,
            scopes=_parts(scopes),
            classifiers=_parts(classifiers) or None,
            expires_at=_moment(expires),
            requests_per_second=requests_per_second,
            images_per_second=images_per_second,
            tenant=tenant or None,
        )
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + str(first["loc"][0]).replace("_at", "").replace("_", "-")
        raise typer.BadParameter(f"{option}: {first['msg']}") from error
    if "admin" in asked.scopes and asked.classifiers:
        raise typer.BadParameter("--classifiers does not go with the scope admin: leave out one")
    terms = KeyTerms(
        tenant=tenant,
        name=asked.name,
        scopes=frozenset(asked.scopes),
        classifiers=frozenset(asked.classifiers) if asked.classifiers else None,
        expires_at=asked.expires_at,
        rates=RateLimits(
            requests_per_second=requests_per_second, images_per_second=images_per_second
        ),
    )
    with opened_database(data_dir, makes=True) as engine:
        key, text = create_key(engine, terms, AuditedKeys(None))
    typer.echo(f"key {key.key_id}; keep it, it is not shown again:", err=True)
    typer.echo(text)


@keys.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(help="Whose; everybody's by default.")] = None,
    data_dir: _DataDir = None,
) -> None:
    """List keys, without what makes them keys."""
    from rich.console import Console
    from rich.table import Table

    from service.storage.keys import list_keys

    with opened_database(data_dir) as engine:
        found = list_keys(engine, tenant)
    table = Table(box=None)
    for column in ("id", "tenant", "name", "scopes", "classifiers", "created", "ends", "used"):
        table.add_column(column)
    for key in found:
        terms = key.terms
        table.add_row(
            key.key_id,
            terms.tenant or "(default)",
            terms.name,
            ",".join(sorted(terms.scopes)),
            "all" if terms.classifiers is None else ",".join(sorted(terms.classifiers)),
            _day(key.created_at),
            _ends(key),
            _day(key.used_at),
        )
    Console(width=None if len(found) == 0 else 160).print(table)


@keys.command()
def rotate(
    key_id: _KeyId,
    grace: Annotated[
        str, typer.Option(help="How long the old key stays valid: 1d, 12h, 30m, 0m.")
    ] = "1d",
    data_dir: _DataDir = None,
) -> None:
    """Make a key on the terms of another one, which ends after a while."""
    from service.storage.audit import AuditedKeys
    from service.storage.keys import rotate_key

    for_so_long = _span(grace)
    if for_so_long is None:
        raise typer.BadParameter(f"--grace: {grace!r} is no time such as 1d, 12h or 30m")
    with opened_database(data_dir) as engine:
        key, text = rotate_key(engine, key_id, None, for_so_long, AuditedKeys(None))
    typer.echo(f"key {key.key_id}; keep it, it is not shown again:", err=True)
    typer.echo(text)


@keys.command()
def revoke(key_id: _KeyId, data_dir: _DataDir = None) -> None:
    """End a key: within 5 seconds no running service takes it."""
    from service.storage.audit import AuditedKeys
    from service.storage.keys import revoke_key

    with opened_database(data_dir) as engine:
        revoke_key(engine, key_id, None, AuditedKeys(None))
    typer.echo(f"revoked {key_id}", err=True)


def _parts(written: str) -> list[str]:
    return [part.strip() for part in written.split(",") if part.strip()]


def _span(written: str) -> timedelta | None:
    units = {"d": "days", "h": "hours", "m": "minutes"}
    number, unit = written[:-1], written[-1:]
    if unit not in units or not number.isascii() or not number.isdigit() or len(number) > 5:
        return None
    return timedelta(**{units[unit]: int(number)})


def _moment(written: str) -> datetime | None:
    if not written:
        return None
    span = _span(written)
    if span is not None and not span:
        raise typer.BadParameter(f"--expires: {written!r} is no time; 1m is the shortest")
    try:
        moment = datetime.fromisoformat(written) if span is None else datetime.now(UTC) + span
    except ValueError as error:
        raise typer.BadParameter(
            f"--expires: {written!r} is neither a time such as 90d, 12h or 30m nor a date such as"
            " 2027-01-31"
        ) from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment <= datetime.now(UTC):
        raise typer.BadParameter("--expires: the key would have expired already")
    return moment


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "never"


def _ends(key: StoredKey) -> str:
    if key.ends_at is None:
        return "never"
    return ("ended " if key.ends_at <= datetime.now(UTC) else "") + _day(key.ends_at)
