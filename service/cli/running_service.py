"""Commands that ask a running service, by the Python client: where it is, and what it refuses.

The client is an extra (``handful[client]``): whoever serves, evaluates or trains needs none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from handful_client import Client

LOCAL = "http://127.0.0.1:8000"
"""Where ``handful serve`` listens by default."""

UrlOption = Annotated[
    str | None,
    typer.Option(
        envvar="HANDFUL_URL", help="Of a running service, which is asked; no database here is used."
    ),
]
ServiceOption = Annotated[str, typer.Option("--url", envvar="HANDFUL_URL", help="Of the service.")]
KeyOption = Annotated[
    str | None,
    typer.Option(
        envvar="HANDFUL_KEY", help="API key for the service, better given by HANDFUL_KEY."
    ),
]
ClassifierArgument = Annotated[str, typer.Argument(help="Name of the classifier.")]

# Seconds that it may take to say that it is there, and to answer.
_THERE, _ANSWER = 2.0, 600.0


@contextmanager
def service_at(url: str, key: str | None) -> Iterator[Client]:
    """A client of the service, which is there; what it refuses ends the command, and is told.

    Raises:
        typer.BadParameter: The URL or the key cannot be one, or the client is not installed.
        typer.Exit: The service refuses, or does not answer.
    """
    try:
        from handful_client import Client, HandfulError
    except ImportError as error:
        raise typer.BadParameter(
            "a service is asked by handful-client, which is not installed: pip install"
            " handful-client"
        ) from error
    try:
        with Client(url, key=key, timeout=_ANSWER) as client:
            with Client(url, key=key, patience=_THERE) as asking:
                asking.health()
            yield client
    except HandfulError as error:
        typer.secho(f"error: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(1) from error
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def check_alone(url: str | None, **options: object) -> None:
    """A service is asked, or a database used with these options, and not both.

    Args:
        url: Of the service, if one is asked.
        **options: Values of the options by their names, with ``_`` for ``-``; None is none.

    Raises:
        typer.BadParameter: There is a service, and an option.
    """
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if url is not None and given:
        raise typer.BadParameter(
            f"{given[0]} is for a database here, and --url (HANDFUL_URL) asks a service; give one"
        )
