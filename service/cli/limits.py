"""``handful limits``: what tenants may take and own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from service.cli.database import opened_database

limits = typer.Typer(no_args_is_help=True, help="Limits of tenants (HANDFUL_AUTH).")

_DataDir = Annotated[Path | None, typer.Option(help="Folder of the database.")]
_Tenant = Annotated[str, typer.Argument(help="Which; leave it out for the default tenant.")]
_Rate = Annotated[
    float | None, typer.Option(min=0, max=1e6, help="A second; 0 for that of the settings.")
]
_Most = Annotated[int | None, typer.Option(min=0, max=2**60, help="0 for that of the settings.")]


@limits.command("set")
def set_(
    tenant: _Tenant = "",
    requests_per_second: _Rate = None,
    images_per_second: _Rate = None,
    classifiers: _Most = None,
    classes: _Most = None,
    images: _Most = None,
    bytes: _Most = None,  # noqa: A002 - the option's name
    data_dir: _DataDir = None,
) -> None:
    """Limit a tenant; what is left out stays. Also beside a running service, which soon follows."""
    import re

    from service.access.limits import LEAST_PER_SECOND, TenantLimits
    from service.name_validation import CLASSIFIER
    from service.storage.tenant_limits import set_limits, stored_limits

    if tenant and not re.fullmatch(CLASSIFIER, tenant):
        raise typer.BadParameter(f"{tenant!r} names no tenant: letters, digits, '.', '_' or '-'")
    asked = {
        "requests_per_second": requests_per_second,
        "images_per_second": images_per_second,
        "classifiers": classifiers,
        "classes": classes,
        "images": images,
        "bytes": bytes,
    }
    for option, rate in (("requests", requests_per_second), ("images", images_per_second)):
        if rate is not None and 0 < rate < LEAST_PER_SECOND:
            raise typer.BadParameter(
                f"--{option}-per-second is at least {LEAST_PER_SECOND:g}, or 0"
            )
    given = {name: value or None for name, value in asked.items() if value is not None}
    with opened_database(data_dir, makes=True) as engine:
        now = TenantLimits(**asdict(stored_limits(engine, tenant)) | given)
        set_limits(engine, tenant, now)
    _print(tenant, asdict(now))


@limits.command()
def show(tenant: _Tenant = "", data_dir: _DataDir = None) -> None:
    """Show limits of a tenant, and what it owns."""
    from service.storage.tenant_limits import stored_limits, usage

    with opened_database(data_dir) as engine:
        limited, used = stored_limits(engine, tenant), usage(engine, tenant)
    _print(tenant, asdict(limited), asdict(used))


def _print(
    tenant: str, limited: dict[str, float | None], used: dict[str, int] | None = None
) -> None:
    typer.echo(f"tenant {tenant or '(default)'}")
    for name, most in limited.items():
        shown = "as the settings have it" if most is None else f"{most:g}"
        has = f", has {used[name]}" if used and name in used else ""
        typer.echo(f"  {name.replace('_', ' ')}: {shown}{has}")
