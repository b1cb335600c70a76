"""Several processes on one port answer as one, whichever is asked, changed or killed."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx2 as httpx
import psutil
import pytest

from service.serving.encoder_processes import PROCESS_NAME
from tests.service.client import Classifier, of_four
from tests.service.jobs.asking import begun, ended, results
from tests.service.pictures import picture
from tests.service.server import Server, run_installed

PROCESSES = 2
PATIENCE = 90
# A connection belongs to the process that accepted it; with a new one any may answer.
ANY = {"connection": "close"}


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[Server]:
    with Server.ready(
        tmp_path_factory.mktemp("several"), backbone=vit, processes=PROCESSES
    ) as running:
        all_ready(running)
        yield running
        assert running.stop() == 0


@pytest.fixture
def anyone(several: Server) -> Iterator[httpx.Client]:
    """Asks any of the processes, each time."""
    with several.client() as http:
        http.headers.update(ANY)
        yield http


def all_ready(server: Server) -> None:
    def ready() -> bool:
        return metric(server, "handful_ready_processes") == PROCESSES

    until(ready)


def metric(server: Server, name: str) -> float:
    told = ""
    with server.client() as http, suppress(httpx.TransportError):
        told = http.get("/metrics", headers=ANY).text
    found = re.search(rf"^{name} (\S+)$", told, re.M)
    return float(found[1]) if found else 0.0


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def workers(server: Server) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(server.process.pid).children():
        with suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
            if "spawn_main" in " ".join(child.cmdline()) and not is_encoder(child):
                found.append(child)
    return found


def encoder(server: Server) -> psutil.Process:
    [found] = filter(is_encoder, psutil.Process(server.process.pid).children())
    return found


def is_encoder(process: psutil.Process) -> bool:
    with suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
        return process.name() == PROCESS_NAME
    return False


def at_once(call: Callable[[int], httpx.Response], count: int) -> list[int]:
    """The statuses of calls at the same time."""
    with ThreadPoolExecutor(count) as threads:
        return [response.status_code for response in threads.map(call, range(count))]


def of_two_images(http: httpx.Client, name: str) -> Classifier:
    made = Classifier(http, name)
    made.put().raise_for_status()
    made.post("ant", picture(1), picture(2)).raise_for_status()
    return made


def n_images(classifier: Classifier) -> int:
    [answer] = classifier.predictions(picture(1), evidence=100)
    return len(answer["evidence"])


def test_a_change_acknowledged_by_one_process_is_seen_by_all(
    several: Server, anyone: httpx.Client
) -> None:
    classifier = Classifier(anyone, "known")
    classifier.put().raise_for_status()
    loads = metric(several, "handful_classifier_load_seconds_count")
    with ThreadPoolExecutor(16) as threads:
        for number in range(1, 9):
            classifier.post("ant" if number % 2 else "bee", picture(number)).raise_for_status()
            found = threads.map(n_images, [classifier] * 16)
            assert list(found) == [number] * 16
        anyone.delete(classifier.class_url("bee")).raise_for_status()
        assert list(threads.map(n_images, [classifier] * 16)) == [4] * 16
        # More than one process answered: one alone would have loaded the classifier once.
        assert metric(several, "handful_classifier_load_seconds_count") > loads + 1
        anyone.delete(classifier.url).raise_for_status()
        asked = threads.map(lambda _: classifier.predict(picture(1)).status_code, range(16))
        assert list(asked) == [404] * 16
        classifier.put(classes=["cat"]).raise_for_status()
        assert list(threads.map(n_images, [classifier] * 16)) == [0] * 16


def test_changes_at_the_same_time_are_all_kept(anyone: httpx.Client) -> None:
    classifier = Classifier(anyone, "changed")
    assert sorted(at_once(lambda _: classifier.put(), 8)) == [200] * 7 + [201]

    def add(number: int) -> httpx.Response:
        return classifier.post(f"class {number % 3}", picture(number))

    assert at_once(add, 16) == [201] * 16
    assert sum(classifier.counts().values()) == 16
    assert n_images(classifier) == 16
    # The same image from all sides is there once.
    statuses = at_once(lambda _: classifier.post("class 0", picture(99)), 8)
    assert set(statuses) <= {200, 201}
    assert n_images(classifier) == 17
    gone = at_once(lambda _: anyone.delete(classifier.class_url("class 1")), 8)
    assert sorted(gone) == [204] + [404] * 7
    assert n_images(classifier) == sum(classifier.counts().values()) == 12


def test_jobs_are_shared_and_each_file_has_one_line(anyone: httpx.Client) -> None:
    files = {f"{'ant' if i % 2 else 'wasp'}/{i:03}.png": picture(100 + i) for i in range(300)}
    made = [of_four(anyone, f"jobs-{i}") for i in range(5)]
    asked = [begun(one, "support", files) for one in made]
    assert anyone.delete(asked[-1]).status_code in (202, 204)
    for one, where in zip(made[:-1], asked[:-1], strict=True):
        assert ended(anyone, where)["state"] == "done"
        assert [line["file"] for line in results(anyone, where)] == list(files)
        assert one.counts() == {"ant": 152, "bee": 2, "wasp": 150}


def test_a_killed_process_is_replaced_and_nothing_is_lost(
    several: Server, anyone: httpx.Client
) -> None:
    classifier = of_two_images(anyone, "lasting")
    before = {process.pid for process in workers(several)}
    starts = several.log.read_text().count("startup complete")
    assert len(before) == PROCESSES
    os.kill(min(before), signal.SIGKILL)
    for _ in range(10):
        with suppress(httpx.TransportError):  # it may have accepted the connection
            assert n_images(classifier) == 2
    until(lambda: several.log.read_text().count("startup complete") == starts + 1)
    assert len({process.pid for process in workers(several)} - before) == 1
    # The dead one is not counted any more.
    assert metric(several, "handful_ready_processes") == PROCESSES
    assert n_images(classifier) == 2


def test_an_encoder_process_that_is_killed_is_started_again_and_everybody_goes_on(
    several: Server, anyone: httpx.Client
) -> None:
    classifier = of_two_images(anyone, "encoded")
    before = encoder(several)
    serving = {process.pid for process in workers(several)}
    refused: list[httpx.Response] = []

    def answered() -> bool:
        response = classifier.predict(picture(1))
        if response.status_code != 200:
            refused.append(response)
        return response.status_code == 200

    os.kill(before.pid, signal.SIGKILL)
    until(lambda: not answered() or encoder_is_new(several, before))
    # Who holds no model says so, and what needs none is done meanwhile.
    if anyone.get("/readyz").status_code == 503:
        assert classifier.counts() == {"ant": 2}
        assert anyone.get("/healthz").status_code == 200
    until(answered)
    until(lambda: anyone.get("/readyz").status_code == 200)
    assert refused
    assert {response.status_code for response in refused} == {503}
    assert {response.headers["retry-after"] for response in refused} == {"5"}
    assert {response.json()["type"] for response in refused} == {"not-ready"}
    assert encoder_is_new(several, before)
    assert {process.pid for process in workers(several)} == serving
    assert n_images(classifier) == 2


def encoder_is_new(server: Server, before: psutil.Process) -> bool:
    with suppress(ValueError):  # none lives
        return encoder(server).pid != before.pid
    return False


def test_one_model_is_in_memory_however_many_serve(several: Server) -> None:
    def compiles(process: psutil.Process) -> bool:
        return any("intel_cpu_plugin" in one.path for one in process.memory_maps())

    assert compiles(encoder(several))
    assert not any(map(compiles, workers(several)))


@pytest.mark.long
def test_all_are_replaced_one_after_the_other_while_they_answer(
    several: Server, anyone: httpx.Client
) -> None:
    classifier = of_two_images(anyone, "answering")
    before = {process.pid for process in workers(several)}
    several.process.send_signal(signal.SIGHUP)

    def replaced() -> bool:
        return not before & {process.pid for process in workers(several)}

    def ask(_: int) -> int:
        """Without a rest, so that processes end between a connection and its request."""
        asked = 0
        while not replaced():
            assert anyone.get("/healthz").status_code == 200
            asked += 1
        return asked

    with ThreadPoolExecutor(3) as threads:
        asked = threads.map(ask, range(2))
        until(lambda: n_images(classifier) == 2 and replaced())
        assert min(asked) > 0
    assert metric(several, "handful_ready_processes") == PROCESSES


@pytest.mark.long
def test_processes_do_not_outlive_the_one_that_started_them(tmp_path: Path, vit: str) -> None:
    with Server.ready(tmp_path / "data", backbone=vit, processes=2) as running:
        started = [*workers(running), encoder(running)]
        assert len(started) == 3
        again = run_installed("serve", "--data-dir", str(running.data_dir), "--processes", "2")
        assert again.returncode == 1
        assert "in use by another handful process" in again.stderr
        running.kill()
        _, alive = psutil.wait_procs(started, timeout=PATIENCE)
        assert not alive


@pytest.mark.alone
def test_processes_end_at_once_while_they_start(tmp_path: Path, vit: str) -> None:
    with Server.listening(tmp_path / "data", backbone=vit, processes=3) as starting:
        until(lambda: len(workers(starting)) == 3)
        time.sleep(2)  # on the way
        begun = time.monotonic()
        assert starting.stop() == 0
        assert time.monotonic() - begun < 5
        assert "startup complete" not in starting.log.read_text()


def test_a_port_that_is_taken_is_said_before_anything_is_loaded(tmp_path: Path, vit: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = ("serve", "--port", port, "--data-dir", str(tmp_path), "--processes", "2")
        ended = run_installed(*command, backbone=vit)
    assert ended.returncode != 0
    assert "in use" in ended.stderr
    assert "loading backbone" not in ended.stderr


@pytest.mark.long
def test_processes_that_cannot_start_end_with_the_reason(tmp_path: Path) -> None:
    missing = f"local-dir:{tmp_path / 'nothing'}"
    ended = run_installed(
        "serve", "--port", "0", "--data-dir", str(tmp_path), "--processes", "2", backbone=missing
    )
    assert ended.returncode == 1
    assert str(tmp_path / "nothing") in ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_is_under_way_is_encoded_when_the_service_ends(
    several: Server, anyone: httpx.Client
) -> None:
    """The last one: the service is gone then."""
    classifier = of_two_images(anyone, "ending")
    images = [picture(number) for number in range(40)]
    encoding = encoder(several)
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(classifier.predict, *images) for _ in range(12)]
        asked[0].result()
        several.process.send_signal(signal.SIGTERM)
        # As a process supervisor does that signals all of them.
        encoding.send_signal(signal.SIGTERM)
        statuses = set()
        for each in asked:
            with suppress(httpx.TransportError):  # no connection was accepted any more
                statuses.add(each.result().status_code)
    assert statuses == {200}
    assert several.process.wait(timeout=PATIENCE) == 0
    assert not encoding.is_running()
