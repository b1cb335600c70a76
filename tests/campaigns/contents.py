"""Bytes of images outside the database, while two replicas that use them are killed.

    python -m tests.campaigns.contents --store folder --kills 40 --seed 1
    python -m tests.campaigns.contents --store s3 --kills 40 --seed 1

Clients register, delete and register again images of a few contents, through either of two
services on one PostgreSQL; these sweep what is unused after a grace of a second or two, so that
sweeps meet what is being written. All the while replicas are killed (SIGKILL) and started again,
and somebody looks at each row that refers to bytes whether they are there, and whole. In the end
every image that is listed is downloaded and compared, and once the grace is over the store holds
what rows refer to and nothing else.

Needs the programs of PostgreSQL: it makes a server of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path

import httpx2 as httpx
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from service.settings.image_location import checked_location
from service.storage.contents import Contents
from service.storage.contents.object_store import MARKER, ObjectMissing, is_whole
from service.storage.contents.sweeping import sweep
from service.storage.engine import open_database
from service.storage.tables import ContentObjectRow, ContentRow
from tests.service.client import Classifier
from tests.service.pictures import picture
from tests.service.postgres import fresh_database, url
from tests.service.server import Server
from tests.service.storage.contents.s3_server import S3, serving
from tests.tiny_vit import write_tiny_vit

# Contents that all clients share, so that they meet.
_CONTENTS = 12
# Seconds of the grace: more than a change takes, as in service, and not much more.
_GRACE = 3.0
_PATIENCE = 120.0


class Campaign:
    """Two services on one database and one store.

    Args:
        folder: For their data.
        backbone: That they serve.
        database: URL of the database.
        location: Of the store.
        seed: Of all that is drawn.
    """

    def __init__(
        self, folder: Path, backbone: str, database: str, location: str, seed: int
    ) -> None:
        self._settings = {
            "backbone": backbone,
            "database_url": database,
            "images": location,
            "images_grace_hours": _GRACE / 3600,
            "history_days": 0,
        }
        self._folder = folder
        self._draw = random.Random(seed)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self.counts: Counter[str] = Counter()
        self.servers = [self._start(0), self._start(1)]
        self.engine: Engine = open_database(database)
        self.contents = Contents.opened(self.engine, location, 10)

    def run(self, kills: int, clients: int) -> None:
        """Go on until so many kills are done; raises what anybody found to be wrong."""
        with self.servers[0].client() as http:
            for number in range(clients):
                Classifier(http, f"c{number}").put().raise_for_status()
        failures: list[BaseException] = []

        def kept(work: object, *arguments: object) -> None:
            try:
                work(*arguments)  # type: ignore[operator]
            except BaseException as error:
                failures.append(error)
                self._ended.set()

        threads = [threading.Thread(target=kept, args=(self._look,))]
        threads += [
            threading.Thread(target=kept, args=(self._use, number)) for number in range(clients)
        ]
        for thread in threads:
            thread.start()
        for _ in range(kills):
            if self._ended.wait(self._draw.uniform(0.2, 2.0)):
                break
            which = self._draw.randrange(2)
            self.servers[which].kill()
            self.servers[which] = self._start(which)
            self.counts["kills"] += 1
        self._ended.set()
        for thread in threads:
            thread.join(_PATIENCE)
        if failures:
            raise failures[0]

    def settle(self, clients: int) -> None:
        """Compare all that is listed with its digest, end the services, wait for the last sweep."""
        with self.servers[0].client() as http:
            for number in range(clients):
                for path, sha256 in self._listed(http, number):
                    content = http.get(path)
                    assert content.status_code == 200, content.text
                    assert hashlib.sha256(content.content).hexdigest() == sha256
                    self.counts["downloaded"] += 1
        for server in self.servers:
            server.kill()
        store = self.contents.store(self.contents.target or 0)
        before = set(store.all_keys())
        with Session(self.engine) as session:
            referred = set(session.scalars(_KEYS))
        self.counts["left to be swept"] = len(
            {key for key in before - referred if not key.startswith(MARKER)}
        )
        sweep(self.engine, self.contents.store, timedelta(0))
        left = {key for key in store.all_keys() if not key.startswith(MARKER)}
        with Session(self.engine) as session:
            assert left == set(session.scalars(_KEYS))
            assert left == set(session.scalars(select(ContentObjectRow.key)))
        self.counts["in the end"] = len(left)

    def close(self) -> None:
        """Let go of all."""
        self._ended.set()
        for server in self.servers:
            with suppress(ProcessLookupError):
                server.kill()
        self.contents.close()
        self.engine.dispose()

    def _start(self, which: int) -> Server:
        return Server.ready(self._folder / f"replica-{which}", **self._settings)

    def _use(self, number: int) -> None:
        draw = random.Random(f"{number} {self._draw.random()}")
        while not self._ended.is_set():
            try:
                with httpx.Client(
                    base_url=draw.choice(self.servers).url, timeout=_PATIENCE
                ) as http:
                    self._change(http, number, draw)
            except httpx.TransportError:
                self.counts["not answered"] += 1

    def _change(self, http: httpx.Client, number: int, draw: random.Random) -> None:
        made = Classifier(http, f"c{number}")
        listed = self._listed(http, number)
        if listed and draw.random() < 0.5:
            answer = http.delete(draw.choice(listed)[0])
            kind = "deleted"
        else:
            label = draw.choice(("ant", "bee"))
            images = [picture(draw.randrange(_CONTENTS)) for _ in range(draw.randrange(1, 4))]
            answer = made.post(label, *images)
            kind = "registered"
        if answer.is_success:
            self.counts[kind] += 1
        else:
            assert answer.status_code in (404, 409, 503), answer.text
            self.counts[f"refused: {answer.json()['type']}"] += 1

    def _listed(self, http: httpx.Client, number: int) -> list[tuple[str, str]]:
        """Paths of all images of a client's classifier, and their SHA-256."""
        made = Classifier(http, f"c{number}")
        found = []
        for label in ("ant", "bee"):
            answer = made.get_class(label)
            if answer.status_code == 200:
                found += [
                    (f"{made.class_url(label)}/images/{one['id']}", one["sha256"])
                    for one in answer.json()["images"]
                ]
        return found

    def _look(self) -> None:
        """See that each row's bytes are there, as long as it is."""
        while not self._ended.wait(0.2):
            with Session(self.engine) as session:
                rows = session.execute(_ROWS).all()
            for store_id, key in rows:
                try:
                    assert is_whole(key, self.contents.store(store_id).get(key)), key
                except ObjectMissing:
                    with Session(self.engine) as session:
                        assert key not in set(session.scalars(_KEYS)), f"{key} is without bytes"
                self.counts["looked at"] += 1


_KEYS = select(ContentObjectRow.key).join(ContentRow, ContentRow.object_id == ContentObjectRow.id)
_ROWS = select(ContentObjectRow.store_id, ContentObjectRow.key).join(
    ContentRow, ContentRow.object_id == ContentObjectRow.id
)


def run(store: str, kills: int, clients: int, seed: int, backbone: str) -> Counter[str]:
    """A whole campaign; returns its counts."""
    with tempfile.TemporaryDirectory() as place, fresh_database() as database, ExitStack() as stack:
        folder = Path(place)
        location = checked_location(str(folder / "images"))
        if store == "s3":
            s3 = stack.enter_context(serving(S3()))
            os.environ.update(s3.environment)
            location = "s3://images/campaign"
        campaign = Campaign(folder, backbone, url(database), location, seed)
        try:
            campaign.run(kills, clients)
            campaign.settle(clients)
        finally:
            campaign.close()
        return campaign.counts


def main() -> None:
    """Run it by hand."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", choices=("folder", "s3"), default="folder")
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        backbone = f"local-dir:{write_tiny_vit(Path(place), 0)}"
        began = time.monotonic()
        counts = run(asked.store, asked.kills, asked.clients, asked.seed, backbone)
    for name, count in sorted(counts.items()):
        print(f"{count:8d}  {name}")
    print(f"{time.monotonic() - began:8.0f}  seconds; no row was without its bytes")


if __name__ == "__main__":
    main()
