"""Jobs by the client: begun, followed, their results read, cancelled."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from handful_client import AsyncClient, Classifier, Client, InvalidImage, NotFound
from handful_client.models import FileErrorOut, PredictionLine, RegistrationLine

from tests.client.coloured import coloured
from tests.service.server import Server


@pytest.fixture
def support(tmp_path: Path) -> Path:
    for colour in ("red", "blue"):
        (tmp_path / "support" / colour).mkdir(parents=True)
        for i in range(3):
            (tmp_path / "support" / colour / f"{i}.png").write_bytes(coloured(colour, i))
    return tmp_path / "support"


def test_a_folder_is_registered_and_predicted_in_the_background(
    client: Client, classifier: Classifier, support: Path, tmp_path: Path
) -> None:
    job = classifier.register_job(support)
    assert job.wait().state == "done"
    lines = list(job.results())
    assert {type(line) for line in lines} == {RegistrationLine}
    assert [(one.label, one.n_images) for one in classifier.classes()] == [("blue", 3), ("red", 3)]

    (tmp_path / "queries" / "deep").mkdir(parents=True)
    for i in range(5):
        (tmp_path / "queries" / "deep" / f"{i}.png").write_bytes(coloured("red", 10 + i))
    (tmp_path / "queries" / "none.png").write_bytes(b"no image")
    done = list[int]()
    job = classifier.predict_job(tmp_path / "queries", top_k=1)
    told = job.wait(progress=lambda now: done.append(now.progress.done))
    assert (told.state, told.progress.done, told.progress.failed) == ("done", 6, 1)
    assert done == sorted(done)
    results = list(job.results())
    named = {line.file: line.label for line in results if isinstance(line, PredictionLine)}
    assert named == {f"deep/{i}.png": "red" for i in range(5)}
    [fault] = [line for line in results if isinstance(line, FileErrorOut)]
    assert (fault.file, fault.problem.type) == ("none.png", "not-an-image")

    listed = [one.id for one in client.jobs(classifier=classifier.name, state="done")]
    assert listed[0] == job.id
    assert client.job(job.id).get().classifier == classifier.name
    job.delete()
    with pytest.raises(NotFound):
        job.get()


def test_a_folder_of_the_services_machine_is_not_sent(
    service: Server, classifier: Classifier
) -> None:
    for colour in ("red", "blue"):
        folder = service.data_dir / "pool" / colour
        folder.mkdir(parents=True)
        (folder / "0.png").write_bytes(coloured(colour, 0))
    job = classifier.register_job(server_folder=str(service.data_dir / "pool"))
    assert job.wait().progress.done == 2


def test_what_is_no_input_of_a_job_is_refused_here(classifier: Classifier, tmp_path: Path) -> None:
    with pytest.raises(InvalidImage, match="neither a zip nor a folder"):
        classifier.predict_job(tmp_path / "gone")
    with pytest.raises(InvalidImage, match="no file in the folder"):
        classifier.predict_job(tmp_path)
    for arguments in ({}, {"images": tmp_path, "server_folder": "/data"}):
        with pytest.raises(TypeError, match="not both"):
            classifier.predict_job(**arguments)  # type: ignore[arg-type]


def test_jobs_are_followed_asynchronously(service: Server, support: Path) -> None:
    async def walk() -> None:
        async with AsyncClient(service.url) as client:
            job = await client.classifier("in-the-background").register_job(support)
            assert (await job.wait()).state == "done"
            assert len([line async for line in job.results()]) == 6
            assert job.id in [one.id async for one in client.jobs()]

    asyncio.run(walk())
