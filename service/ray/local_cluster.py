"""A Ray of this machine alone, with the application on it: ``handful serve --ray``."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from tempfile import TemporaryDirectory
from types import FrameType
from typing import TYPE_CHECKING

from service.private_files import keep_private
from service.ray.fitting_settings import SettingsError, check_settings
from service.serving.logging_setup import configure_logging
from service.settings import Settings

if TYPE_CHECKING:
    from ray.serve.deployment import Application

logger = logging.getLogger("handful")

APPLICATION = "handful"
"""Name of the application in Ray Serve."""


def serve_with_ray(settings: Settings) -> None:
    """Start a Ray, serve with it until told to end, and end it; blocks.

    So many ingress replicas as ``processes``, before an encoder replica a GPU, or one on the
    processor.

    Raises:
        SettingsError: Ray is not installed, or the settings do not fit it.
        OSError: Somebody listens on the port.
        RuntimeError: A replica cannot start; why.
    """
    if find_spec("ray") is None:
        raise SettingsError("--ray needs Ray; install it with: pip install 'handful[ray]'")
    configure_logging(settings)
    keep_private(settings)
    check_settings(settings, replicas=settings.processes)
    settings = settings.model_copy(update={"port": _port(settings)})
    os.environ |= _environment()
    with TemporaryDirectory(prefix="ray-") as folder, _ray(folder):
        ended = _told_to_end()  # after Ray has set handlers of its own
        from ray import serve  # with PyTorch and all else

        serve.start(
            proxy_location="HeadOnly",
            logging_config={"enable_access_log": False, "log_level": "WARNING"},
            http_options={
                "host": settings.host,
                "port": settings.port,
                "keep_alive_timeout_s": round(settings.keep_alive_seconds),
            },
        )
        try:
            serve.run(_application(settings), name=APPLICATION, route_prefix="/")
            logger.info("Ray Serve running on http://%s:%d", settings.host, settings.port)
            ended.wait()
        finally:
            serve.shutdown()


def _environment() -> dict[str, str]:
    """What Ray is started with: its processes listen on all addresses, and ask for a token."""
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        # On a machine that has much to do the proxy takes more than the five seconds after which it
        # would be killed.
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
        # Nobody is to be warned of a change that does not touch us.
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }


@contextmanager
def _ray(folder: str) -> Iterator[None]:
    """A Ray of this machine, with all its files in a folder."""
    import ray

    ray.init(
        address="local",
        include_dashboard=False,
        configure_logging=False,
        _temp_dir=folder,
    )
    try:
        yield
    finally:
        ray.shutdown()


def _application(settings: Settings) -> Application:
    from service.encoder_process.process import devices
    from service.ray.application import application

    encoders = devices(settings)
    gpu = encoders > 1 or (settings.device or "").startswith("cuda")
    cores = str(os.cpu_count() or 1)
    return application(
        settings.model_copy(update={"processes": 1}),
        # Replicas of one machine share its cores as processes do: none is reserved.
        {"num_replicas": settings.processes, "ray_actor_options": {"num_cpus": 0}},
        {
            "num_replicas": encoders,
            "ray_actor_options": {
                "num_cpus": 0,
                "num_gpus": int(gpu),
                # Ray would give PyTorch one thread.
                "runtime_env": {"env_vars": {"OMP_NUM_THREADS": cores}},
            },
        },
    )


def _port(settings: Settings) -> int:
    """The port, or a free one for 0.

    Raises:
        OSError: Somebody listens on it.
    """
    with socket.create_server((settings.host, settings.port)) as tried:
        port: int = tried.getsockname()[1]
    return port


def _told_to_end() -> threading.Event:
    """Set by SIGTERM and SIGINT; the second one ends this process at once, and Ray with it."""
    ended = threading.Event()

    def handle(number: int, _: FrameType | None) -> None:
        if ended.is_set():
            os._exit(128 + number)
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    return ended
