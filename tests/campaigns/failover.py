"""Writers and queries while the primary is killed and its standby takes over, again and again.

    python -m tests.campaigns.failover --rounds 10 --writers 4 --seed 1

Two PostgreSQL servers with synchronous replication, one service whose URL names both. Each round
stops the primary as by a crash at a random moment, promotes the standby, and makes the old primary
its standby anew; the service is never restarted. Every registration that was acknowledged
must be there at the end, under the same id, and nothing twice; whatever was refused must have been
with 503. Printed are counts, and how long it took from the crash, and from the promotion, to the
first write that was acknowledged.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from service.storage.engine import open_database
from tests.service.client import Classifier, of_four
from tests.service.clusters import HOST, Cluster, own_cluster
from tests.service.pictures import picture
from tests.service.server import Server
from tests.tiny_vit import write_tiny_vit


class Writer(threading.Thread):
    """Registers pictures that are all different; keeps the ids that were acknowledged."""

    def __init__(self, server: Server, number: int) -> None:
        super().__init__(daemon=True)
        self.acknowledged: dict[str, float] = {}
        self.refused: Counter[str] = Counter()
        self.ended = threading.Event()
        self._server, self._number = server, number

    def run(self) -> None:
        with self._server.client() as http:
            made, seed = Classifier(http, "written"), 10**6 * (self._number + 1)
            while not self.ended.is_set():
                seed += 1
                answer = made.post("ant", picture(seed))
                if answer.status_code == 201:
                    for one in answer.json()["images"]:
                        self.acknowledged[one["id"]] = time.monotonic()
                else:
                    kind = answer.json().get("type", "?")
                    self.refused[f"{answer.status_code} {kind}"] += 1
                    time.sleep(0.05)


class Reader(threading.Thread):
    """Asks for predictions meanwhile."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.answers: Counter[int] = Counter()
        self.ended = threading.Event()
        self._server = server

    def run(self) -> None:
        with self._server.client() as http:
            made = Classifier(http, "written")
            while not self.ended.is_set():
                self.answers[made.predict(picture(1)).status_code] += 1
                time.sleep(0.02)


def wait_for(standby: str, primary: Cluster) -> None:
    """Let each commit of a primary wait for that standby."""
    with primary.administrator() as administrator:
        administrator.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{standby}'")
        administrator.execute("SELECT pg_reload_conf()")


def campaign(rounds: int, writers: int, seed: int) -> None:
    dice = random.Random(seed)
    since_crash: list[float] = []
    since_promotion: list[float] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        primary = stack.enter_context(own_cluster("one"))
        with primary.administrator() as administrator:
            administrator.execute("CREATE DATABASE handful")
        standby = primary.standby(primary.folder.parent / "two")
        open_database(primary.url("handful")).dispose()
        wait_for("two", primary)
        hosts = "&".join(f"host={HOST}:{one.port}" for one in (primary, standby))
        backbone = f"local-dir:{write_tiny_vit(folder, 0)}"
        running = stack.enter_context(
            Server.ready(
                folder / "data",
                backbone=backbone,
                database_url=f"postgresql+psycopg://postgres@/handful?{hosts}",
                database_seconds=2,
            )
        )
        http = stack.enter_context(running.client())
        made = of_four(http, "written")
        writing = [Writer(running, number) for number in range(writers)]
        reading = Reader(running)
        for thread in (*writing, reading):
            thread.start()
        for number in range(rounds):
            time.sleep(dice.uniform(1, 3))
            primary.stop()
            crashed = time.monotonic()
            standby.promote()
            wait_for("", standby)
            promoted = time.monotonic()
            first = None
            while first is None:
                assert time.monotonic() - promoted < 120, [one.refused for one in writing]
                times = [at for one in writing for at in list(one.acknowledged.values())]
                first = min((at for at in times if at > promoted), default=None)
                time.sleep(0.02)
            since_crash.append(first - crashed)
            since_promotion.append(first - promoted)
            with standby.administrator() as administrator:
                administrator.execute(
                    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                )
            name = f"again{number}"
            again = standby.standby(primary.folder.parent / name, primary.port)
            shutil.rmtree(primary.folder)
            wait_for(name, standby)
            primary, standby = standby, again
            print(
                f"round {number + 1}: {sum(len(one.acknowledged) for one in writing)} acknowledged,"
                f" first {since_crash[-1]:.2f} s after the crash,"
                f" {since_promotion[-1]:.2f} s after the promotion",
                flush=True,
            )
        for ended in (*(one.ended for one in writing), reading.ended):
            ended.set()
        for thread in (*writing, reading):
            thread.join()
        there: Counter[str] = Counter()
        parameters: dict[str, str] = {"limit": "1000"}
        while True:
            answer = http.get(made.class_url("ant"), params=parameters)
            listed = answer.raise_for_status().json()
            there.update(one["id"] for one in listed["images"])
            if not listed.get("next_cursor"):
                break
            parameters["cursor"] = listed["next_cursor"]
        acknowledged = [one for writer in writing for one in writer.acknowledged]
        lost = [one for one in acknowledged if one not in there]
        refused = sum((writer.refused for writer in writing), Counter())
        standby.stop()
        primary.stop()
        assert running.stop() == 0
        assert "Traceback" not in running.log.read_text()
    print(f"{rounds} failovers, {writers} writers, seed {seed}")
    print(f"acknowledged {len(acknowledged)}, lost {len(lost)}, twice {_twice(there)}")
    print(f"there without having been acknowledged {len(there) - 2 - len(set(acknowledged))}")
    print(f"refused {dict(refused)}; queries {dict(reading.answers)}")
    for what, seconds in (("crash", since_crash), ("promotion", since_promotion)):
        print(f"first write after the {what}: {min(seconds):.2f} to {max(seconds):.2f} s")
    assert not lost
    assert not _twice(there)
    assert all(kind.startswith("503 ") for kind in refused)
    assert set(reading.answers) <= {200, 503}


def _twice(there: Counter[str]) -> int:
    return sum(1 for count in there.values() if count > 1)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    campaign(given.rounds, given.writers, given.seed)


if __name__ == "__main__":
    main()
