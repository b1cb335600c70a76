"""``handful bridge``: answers of a running service, carried into other systems."""

from __future__ import annotations

from typing import Annotated

import typer

bridge = typer.Typer(
    no_args_is_help=True, help="Carry answers of a running service into other systems."
)


@bridge.callback()
def _bridge() -> None:
    """Commands that run until they are stopped."""


@bridge.command()
def frigate(
    classifier: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=NAME",
            help="Classifier for objects that Frigate labels so, as person=visitors; repeatable.",
        ),
    ] = None,
    camera: Annotated[
        list[str] | None,
        typer.Option(help="The only camera to follow; may be repeated. All by default."),
    ] = None,
    url: Annotated[str | None, typer.Option(help="Of the service; http://127.0.0.1:8000.")] = None,
    mqtt_url: Annotated[
        str | None, typer.Option(help="Of the broker; mqtt://127.0.0.1:1883, mqtts:// for TLS.")
    ] = None,
    frigate_url: Annotated[
        str | None, typer.Option(help="Of Frigate; http://127.0.0.1:5000.")
    ] = None,
    frigate_topic: Annotated[
        str | None, typer.Option(help="Frigate's topic_prefix; frigate.")
    ] = None,
    attempts: Annotated[
        int | None, typer.Option(help="Pictures of an object before anything is said; 3.")
    ] = None,
    agreement: Annotated[
        float | None, typer.Option(help="Share of them that have to agree; 0.6.")
    ] = None,
) -> None:
    """Give the objects that Frigate tracks sub labels, and tell Home Assistant of them.

    Each option is an environment variable, too. Secrets are such alone: HANDFUL_KEY,
    HANDFUL_MQTT_USERNAME, HANDFUL_MQTT_PASSWORD, or files named by HANDFUL_..._FILE.
    """
    from service.cli.configuration import read_settings

    try:
        import asyncio
        import logging

        from service.bridges.frigate.bridge import run
        from service.bridges.frigate.broker import BrokerError
        from service.bridges.frigate.settings import BridgeSettings
    except ModuleNotFoundError as error:
        raise typer.BadParameter(
            f"{error.name} is not installed: pip install 'handful[mqtt]'"
        ) from error
    settings = read_settings(
        BridgeSettings,
        frigate_classifiers=classifier or None,
        frigate_cameras=camera or None,
        url=url,
        mqtt_url=mqtt_url,
        frigate_url=frigate_url,
        frigate_topic=frigate_topic,
        frigate_attempts=attempts,
        frigate_agreement=agreement,
    )
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.INFO)
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # a line a request, with its URL
    try:
        asyncio.run(run(settings))
    except BrokerError as error:
        typer.secho(f"error: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(1) from error
