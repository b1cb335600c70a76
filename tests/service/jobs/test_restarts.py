"""Jobs outlive processes: killed at any moment, they go on, and each file has one line."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import pytest
from PIL import Image
from sqlalchemy import create_engine, text

from tests.service.client import Classifier, of_four, problem
from tests.service.conftest import Troubled
from tests.service.jobs.asking import ASYNC, ask, begun, ended, results
from tests.service.pictures import encoded, noise, picture
from tests.service.server import Server

KILLS = 4


def some(number: int) -> dict[str, bytes]:
    """Files that take a few milliseconds each, in two classes; every tenth is no image."""
    files = {}
    for i in range(number):
        label = "ant" if i % 2 else "wasp"
        colour = (i % 256, i // 256, 7)
        content = encoded(Image.new("RGB", (400, 400), colour))
        files[f"{label}/{i:04}.png"] = b"no image" if i % 10 == 5 else content
    return files


def test_a_killed_job_goes_on_and_no_line_is_lost_or_there_twice(
    tmp_path: Path, vit: str, database: str
) -> None:
    dice = random.Random(7)
    files = some(600)
    asked: dict[str, str] = {}
    found: list[int] = []
    for kill in range(KILLS + 1):
        started = Server.ready(tmp_path, backbone=vit, database_url=database)
        with started as running, running.client() as http:
            if not asked:
                made = of_four(http, "t")
                asked = {what: begun(made, what, files) for what in ("predict", "support")}
            if kill < KILLS:
                under_way(http, asked.values(), sum(found[-2:]))
                time.sleep(dice.uniform(0, 0.2))
                running.kill()
                found += done_of(database)
                continue
            assert any(0 < done < len(files) for done in found), found  # kills met it half-way
            for what, where in asked.items():
                job = ended(http, where)
                assert job["state"] == "done"
                assert job["progress"]["done"] == job["progress"]["total"] == len(files)
                lines = results(http, where)
                assert [line["file"] for line in lines] == list(files), what
                failed = [line["file"] for line in lines if "problem" in line]
                assert failed == [name for name, content in files.items() if content == b"no image"]
                assert job["progress"]["failed"] == len(failed)
            # Which images there are, and which the job made, is as if nobody had been killed.
            assert {line["status"] for line in lines if "status" in line} == {"created"}
            ids = [line["id"] for line in lines if "id" in line]
            assert len(set(ids)) == len(ids) == len(files) - len(failed)
            assert Classifier(http, "t").counts() == {"ant": 2 + 240, "bee": 2, "wasp": 300}
            assert not (tmp_path / "jobs" / where.rpartition("/")[2] / "input.zip").exists()
            assert running.stop() == 0


def under_way(http: httpx.Client, jobs: Iterable[str], done: int) -> None:
    """Wait until more files are done than that, or all."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        told = [http.get(where).raise_for_status().json() for where in jobs]
        if sum(job["progress"]["done"] for job in told) > done:
            return
        if all(job["state"] == "done" for job in told):
            return
        time.sleep(0.02)
    raise AssertionError(told)


def done_of(database: str) -> list[int]:
    """Files that jobs of a stopped service have done."""
    engine = create_engine(database)
    with engine.connect() as connection:
        done = connection.scalars(text("SELECT done FROM jobs")).all()
    engine.dispose()
    return list(done)


@pytest.mark.long
def test_a_stopped_service_tells_those_who_follow_and_goes_on_later(
    tmp_path: Path, vit: str
) -> None:
    with Server.ready(tmp_path, backbone=vit) as running, running.client() as http:
        where = begun(of_four(http, "t"), "predict", some(600))

        def follow() -> bytes:
            return http.get(f"{where}/events").raise_for_status().content

        with ThreadPoolExecutor() as pool:
            followed = pool.submit(follow)
            time.sleep(0.1)
            began = time.monotonic()
            assert running.stop() == 0
            assert time.monotonic() - began < 10  # it does not wait until the job has ended
            assert b"event: progress" in followed.result()
    with Server.ready(tmp_path, backbone=vit, job_hours=1e-9) as running, running.client() as http:
        # It ends, and is removed by the next start, as it is older than it may become.
        job = ended(http, where)
        assert job["state"] == "done"
        assert len(results(http, where)) == 600
        assert running.stop() == 0
    with Server.ready(tmp_path, backbone=vit, job_hours=1e-9) as running, running.client() as http:
        until = time.monotonic() + 20
        while http.get(where).status_code == 200 and time.monotonic() < until:
            time.sleep(0.05)
        problem(http.get(where), 404, "job-not-found")
        while list((tmp_path / "jobs").glob("*/")) and time.monotonic() < until:
            time.sleep(0.05)
        assert list((tmp_path / "jobs").glob("*/")) == []


def test_a_job_whose_files_are_gone_fails_and_says_so(tmp_path: Path, vit: str) -> None:
    with Server.ready(tmp_path, backbone=vit) as running, running.client() as http:
        where = begun(of_four(http, "t"), "predict", some(600))
        running.kill()
    shutil.rmtree(tmp_path / "jobs" / where.rpartition("/")[2])
    with Server.ready(tmp_path, backbone=vit) as running, running.client() as http:
        job = ended(http, where)
        assert job["state"] == "failed"
        assert job["problem"]["type"] == "job-failed"
        if job["progress"]["done"]:
            problem(http.get(f"{where}/results"), 409, "job-elsewhere")
        assert http.delete(where).status_code == 204


def test_on_a_full_disk_no_job_is_taken_and_nothing_is_left(troubled: Troubled) -> None:
    if troubled.refused:
        pytest.skip(f"no file system can be mounted here: {troubled.refused}")
    server = troubled.server
    with server.client() as http:
        made = of_four(http, "jobs")
        large = {f"{i}.png": encoded(noise(i, (600, 600))) for i in range(24)}
        problem(ask(made, "predict", large), 507, "storage-full", "DELETE jobs")
        assert list((server.data_dir / "jobs").glob("*/")) == []
        where = begun(made, "predict", {"a.png": picture(1)})
        assert ended(http, where)["state"] == "done"
        # A client that hangs up in the middle leaves nothing either.
        with pytest.raises(ZeroDivisionError):
            http.post(
                f"{made.url}/predict",
                content=cut_off(),
                headers={**ASYNC, "content-type": "application/zip"},
            )
        until = time.monotonic() + 20
        folders = server.data_dir / "jobs"
        while len(list(folders.glob("*/"))) > 1 and time.monotonic() < until:
            time.sleep(0.05)
        assert [one.name for one in folders.glob("*/")] == [where.rpartition("/")[2]]
        http.delete(where).raise_for_status()
        http.delete(made.url).raise_for_status()


def cut_off() -> Iterator[bytes]:
    for _ in range(3):
        yield bytes(2**20)
    raise ZeroDivisionError
