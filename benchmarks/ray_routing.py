"""What it is worth that a classifier's queries go to the replica that has it in memory.

    python -m benchmarks.ray_routing --database-url postgresql+psycopg://... [--classifiers 24]
        [--seconds 6] [--rounds 2]

Two ingress replicas and an encoder replica of a Ray of this machine, on PostgreSQL, with room in an
ingress replica for six tenths of the classifiers (10 classes of 16 images each). A closed loop of 4
connections asks one after the other, by the router of ``service/ray/classifier_router.py`` and by
Ray's own (power of two choices), in turns; between them all replicas are replaced.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from statistics import median

import httpx2 as httpx
import ray
from ray import serve
from ray.serve.config import RequestRouterConfig

from benchmarks.load import Plan, Report, Request, load
from benchmarks.photographs import queries, zipped_support
from benchmarks.published import Row, publish
from service.ray.application import application
from service.ray.local_cluster import APPLICATION
from service.settings import Settings

PORT, CONNECTIONS, SHARE = 8799, 4, 0.6
ROUTERS = {"by classifier": {}, "Ray's own": {"request_router_config": RequestRouterConfig()}}


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--classifiers", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--backbone", default="lite")
    arguments = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    names = [f"classifier-{number}" for number in range(arguments.classifiers)]
    reports: dict[str, list[Report]] = {router: [] for router in ROUTERS}
    ray.init(address="local", include_dashboard=False, log_to_driver=False)
    try:
        serve.start(proxy_location="HeadOnly", http_options={"port": PORT})
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(
                backbone=arguments.backbone,
                precision="float32",
                database_url=arguments.database_url,
                data_dir=Path(folder),
            )
            size = _registered(settings, names)
            room = int(SHARE * len(names) * size)
            settings = settings.model_copy(update={"classifier_memory": room})
            for _ in range(arguments.rounds):
                for router, options in ROUTERS.items():
                    _deploy(settings, 2, options)
                    reports[router].append(_asked(names, arguments.seconds))
    finally:
        serve.shutdown()
        ray.shutdown()
    publish(
        "ray_routing",
        "Queries of more classifiers than a replica has room for",
        [_row(router, found) for router, found in reports.items()],
        about=vars(arguments) | {"bytes of a classifier": size},
    )


def _deploy(settings: Settings, replicas: int, options: dict[str, object]) -> None:
    none_reserved = {"ray_actor_options": {"num_cpus": 0}}
    serve.run(
        application(settings, options | none_reserved | {"num_replicas": replicas}, none_reserved),
        name=APPLICATION,
        route_prefix="/",
    )


def _registered(settings: Settings, names: list[str]) -> float:
    """Make the classifiers; returns the bytes of one in memory."""
    _deploy(settings, 1, {})
    support = zipped_support()
    with httpx.Client(base_url=f"http://127.0.0.1:{PORT}", timeout=300) as http:
        for name in names:
            http.put(f"/v1/classifiers/{name}").raise_for_status()
            http.post(
                f"/v1/classifiers/{name}/support",
                content=support,
                headers={"content-type": "application/zip"},
            ).raise_for_status()
        [told] = [
            float(line.split()[-1])
            for line in http.get("/metrics").text.splitlines()
            if line.startswith("handful_classifiers_bytes ")
        ]
    return told / len(names)


def _asked(names: list[str], seconds: float) -> Report:
    images = queries()
    requests = [
        Request.post(f"/v1/classifiers/{name}/predict", images[number % len(images)], "image/jpeg")
        for number, name in enumerate(names * 2)
    ]
    return load(Plan(PORT, requests, CONNECTIONS, seconds, warm_up=6.0))


def _row(router: str, found: list[Report]) -> Row:
    return {
        "router": router,
        "answers/s": median(one.throughput for one in found),
        "p50 ms": 1000 * median(one.latency(0.5) for one in found),
        "p99 ms": 1000 * median(one.latency(0.99) for one in found),
        "errors": sum(one.errors for one in found),
    }


if __name__ == "__main__":
    main()
