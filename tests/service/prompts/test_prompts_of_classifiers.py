"""Trained prompts of one classifier: uploaded, chosen, served beside others, changed, exported."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import httpx2 as httpx
import pytest

from adapters.loading import load_backbone
from service.encoder import origin_of
from service.problems import InvalidSettings
from service.prompts import ChosenPrompts, prompted_encoders
from service.settings import Settings
from service.storage.engine import open_database
from service.storage.errors import StorageError
from tests.learned_prompts import TEMPLATE, write_prompts
from tests.service.api.test_keys import Keyed, made
from tests.service.client import Classifier, probabilities, problem
from tests.service.pictures import patches, picture
from tests.service.server import Server, run_handful
from tests.small_clip import write_small_clip

LABELS = ("brick", "grass", "gravel")
QUERIES = [patches(label)[-1] for label in LABELS]
NAMES = (f"c{i}" for i in count())


@dataclass(frozen=True)
class Model:
    """A small CLIP, and files of prompts for it by their names."""

    name: str
    files: dict[str, Path]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("clip")
    name = write_small_clip(folder)
    shapes: dict[str, dict[str, int]] = {"one": {}, "two": {}, "deep": {"depth": 3, "length": 1}}
    files = {
        called: write_prompts(folder / f"{called}.safetensors", name, seed, **shape)
        for seed, (called, shape) in enumerate(shapes.items())
    }
    return Model(name, files)


@pytest.fixture(scope="module")
def running(
    model: Model, tmp_path_factory: pytest.TempPathFactory, shared_database: str
) -> Iterator[Keyed]:
    folder = tmp_path_factory.mktemp("data")
    key = made(folder, "--scopes", "admin,read,predict,write", database_url=shared_database)
    settings = {"backbone": model.name, "database_url": shared_database, "auth": "keys"}
    with Server.ready(folder, **settings) as server:
        keyed = Keyed(server, key)
        with keyed.client(key) as http:
            for name in model.files:
                assert upload(http, model, name).status_code == 201
        yield keyed
        server.stop()
        assert "Traceback" not in server.log.read_text()


@pytest.fixture
def http(running: Keyed) -> Iterator[httpx.Client]:
    with running.client(running.operator) as client:
        yield client


@pytest.fixture(scope="module")
def expected(model: Model, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """What a service answers that was started with the first prompts for all classifiers."""
    settings = {"backbone": model.name, "prompts": model.files["one"], "runtime": "eager"}
    with (
        Server.ready(tmp_path_factory.mktemp("all"), **settings) as server,
        server.client() as http,
    ):
        return answers(taught(http))


def upload(http: httpx.Client, model: Model, name: str, under: str | None = None) -> httpx.Response:
    return http.put(f"/v1/prompts/{under or name}", content=model.files[name].read_bytes())


def taught(http: httpx.Client, **settings: object) -> Classifier:
    """A classifier with four images a class."""
    classifier = Classifier(http, next(NAMES))
    assert classifier.put(**settings).status_code == 201
    images = {f"{label}/{i}.png": patches(label)[i] for label in LABELS for i in range(4)}
    assert classifier.post_support(images).status_code == 201
    return classifier


def answers(classifier: Classifier) -> dict[str, float]:
    """Probabilities of all labels for all queries."""
    return {
        f"{place} {label}": probability
        for place, one in enumerate(classifier.predictions(*QUERIES))
        for label, probability in probabilities(one).items()
    }


near = partial(pytest.approx, abs=1e-4)


def test_it_answers_as_a_service_with_these_prompts(
    http: httpx.Client, expected: dict[str, float]
) -> None:
    plain = taught(http)
    prompted = taught(http, prompts="one", templates=["a drawing of {}"])
    assert answers(prompted) == near(expected)
    assert answers(plain) != pytest.approx(answers(prompted), abs=1e-2)
    assert prompted.put(prompts="one", coverage=0.9).json()["prompts"] == "one"


def test_queries_for_several_prompts_share_passes_and_do_not_mix(http: httpx.Client) -> None:
    every = [taught(http, prompts=prompts) for prompts in ("one", "two", "deep", None)]
    alone = [answers(one) for one in every]
    with ThreadPoolExecutor(8) as pool:
        for place, found in pool.map(lambda i: (i % 4, answers(every[i % 4])), range(32)):
            assert found == near(alone[place])


def test_prompts_are_shown_with_their_users(http: httpx.Client, model: Model) -> None:
    user = taught(http, prompts="deep")
    shown = http.get("/v1/prompts/deep").json()
    assert (shown["template"], shown["depth"], shown["length"]) == (TEMPLATE, 3, 1)
    assert (shown["trained_with"], shown["usable"]) == (model.name, True)
    assert user.name in shown["classifiers"]
    names = []
    cursor = None
    while True:
        page = http.get(
            "/v1/prompts", params={"limit": 2, **({"cursor": cursor} if cursor else {})}
        )
        names += [one["name"] for one in page.json()["prompts"]]
        if (cursor := page.json()["next_cursor"]) is None:
            break
    assert names == ["deep", "one", "two"]


def test_a_file_is_put_once_and_its_name_stays_its_own(http: httpx.Client, model: Model) -> None:
    assert upload(http, model, "one").status_code == 200
    problem(upload(http, model, "two", "one"), 409, "prompts-exist", "another name")
    assert upload(http, model, "two", "twice").status_code == 201
    user = taught(http, prompts="twice")
    problem(http.delete("/v1/prompts/twice"), 409, "prompts-in-use", user.name)
    before = answers(user)
    http.delete(user.url).raise_for_status()
    assert http.delete("/v1/prompts/twice").status_code == 204
    problem(http.delete("/v1/prompts/twice"), 404, "prompts-not-found")
    problem(http.get("/v1/prompts/twice"), 404, "prompts-not-found")
    # The embeddings of the same prompts under another name are still there.
    assert answers(taught(http, prompts="two")) == near(before)


def test_other_prompts_embed_the_images_again(
    http: httpx.Client, expected: dict[str, float]
) -> None:
    changed = taught(http, support_views=1)
    beside = taught(http)  # has the same images
    plain = answers(beside)
    tag = http.get(changed.url).headers["etag"]
    assert changed.put(prompts="one").status_code == 200
    assert http.get(changed.url).headers["etag"] != tag
    assert answers(changed) == near(expected)
    assert answers(changed) == near(answers(taught(http, prompts="one")))
    assert answers(beside) == near(plain)
    # With another number of views at the same time, and back.
    views = taught(http, prompts="two", support_views=3)
    assert changed.put(prompts="two", support_views=3).status_code == 200
    assert answers(changed) == near(answers(views))
    assert changed.put().json()["prompts"] is None
    assert answers(changed) == near(plain)


def test_images_come_and_go_and_come_back(http: httpx.Client) -> None:
    classifier = taught(http, prompts="one")
    [image] = classifier.post("brick", picture(7)).json()["images"]
    before = answers(classifier)
    revision = http.get(f"{classifier.url}/history").json()["revision"]
    revert = partial(http.post, f"{classifier.url}/revert", params={"to": revision})
    http.delete(f"{classifier.class_url('brick')}/images/{image['id']}").raise_for_status()
    http.delete(classifier.class_url("gravel")).raise_for_status()
    assert len(answers(classifier)) < len(before)
    assert revert().status_code == 200
    assert answers(classifier) == near(before)
    # An image that was never embedded with other prompts cannot be brought back under these.
    http.delete(f"{classifier.class_url('brick')}/images/{image['id']}").raise_for_status()
    assert classifier.put(prompts="deep").status_code == 200
    problem(revert(), 409, "cannot-revert", "with the prompts 'deep'")
    assert classifier.put().status_code == 200
    problem(revert(), 409, "cannot-revert", "without prompts of its own")
    assert classifier.put(prompts="one").status_code == 200
    assert revert().status_code == 200
    assert answers(classifier) == near(before)


def test_it_is_copied_renamed_merged_and_searched(
    http: httpx.Client, expected: dict[str, float]
) -> None:
    first = taught(http, prompts="one")
    copy, plain = Classifier(http, next(NAMES)), taught(http)
    assert http.post(f"{first.url}/copy", json={"to": copy.name}).status_code == 201
    http.delete(first.url).raise_for_status()
    renamed = Classifier(http, next(NAMES))
    assert http.post(f"{copy.url}/rename", json={"to": renamed.name}).status_code == 200
    assert answers(renamed) == near(expected)
    merged = Classifier(http, next(NAMES))
    merged.put(prompts="one").raise_for_status()
    assert http.post(f"{merged.url}/merge", json={"from": plain.name}).json()["added"] == 12
    assert answers(merged) == near(expected)
    found = http.post(f"{merged.url}/similar", json={"text": "brick"}, params={"limit": 12}).json()
    assert {one["label"] for one in found["images"]} == set(LABELS)
    [own] = http.post(
        f"{merged.url}/similar", files={"files": patches("grass")[0]}, params={"limit": 1}
    ).json()["images"]
    assert (own["label"], own["similarity"]) == ("grass", pytest.approx(1, abs=1e-4))


def test_it_goes_into_a_file_and_comes_back(http: httpx.Client, model: Model) -> None:
    first = taught(http, prompts="two", support_views=2)
    before = answers(first)
    for images in (True, False):
        file = http.get(f"{first.url}/export", params={"images": images}).content
        again = Classifier(http, next(NAMES))
        made = http.put(
            f"{again.url}/import", content=file, headers={"content-type": "application/zip"}
        )
        assert made.status_code == 201, made.text
        assert made.json()["prompts"] == "two"
        assert answers(again) == near(before)
    upload(http, model, "deep", "passing").raise_for_status()
    passing = taught(http, prompts="passing")
    file = http.get(f"{passing.url}/export").content
    http.delete(passing.url).raise_for_status()
    http.delete("/v1/prompts/passing").raise_for_status()
    send = partial(http.put, content=file, headers={"content-type": "application/zip"})
    problem(send(f"{passing.url}/import"), 404, "prompts-not-found", "PUT the file")
    # Others under that name: the images are embedded with these.
    upload(http, model, "two", "passing").raise_for_status()
    assert send(f"{passing.url}/import").status_code == 201
    assert answers(passing) == near(answers(taught(http, prompts="two")))
    http.delete(passing.url).raise_for_status()
    http.delete("/v1/prompts/passing").raise_for_status()


def test_what_is_no_prompts_for_this_backbone_is_refused(
    http: httpx.Client, model: Model, tmp_path: Path
) -> None:
    other = write_small_clip(tmp_path / "other", seed=1)
    files = {
        b"": "is empty",
        b"\x80\x04nothing": "is damaged",
        model.files["one"].read_bytes()[:-9]: "is damaged",
        write_prompts(tmp_path / "p", other, 0).read_bytes(): "handful train comma --backbone",
        write_prompts(tmp_path / "q", model.name, 0, depth=4).read_bytes(): "depth of 3 or less",
    }
    for content, told in files.items():
        refused = http.put("/v1/prompts/wrong", content=content)
        problem(refused, 422, "invalid-prompts", told)
    problem(http.put("/v1/prompts/wrong", content=bytes(17 * 2**20)), 413, "request-too-large")
    problem(http.put("/v1/prompts/..x y", content=b"1"), 422, "invalid-name", "name prompts")
    problem(http.get("/v1/prompts/wrong"), 404, "prompts-not-found")
    classifier = Classifier(http, next(NAMES))
    problem(classifier.put(prompts="wrong"), 404, "prompts-not-found", "/v1/prompts/wrong")
    problem(classifier.put(prompts="a b"), 422, "request-validation-failed", "prompts")
    assert http.get(classifier.url).status_code == 404


def test_a_move_to_another_recipe_leaves_it_as_it_is(http: httpx.Client) -> None:
    prompted, plain = taught(http, prompts="one"), taught(http)
    before = answers(prompted)
    for resizing in ("antialias", "pillow"):
        http.post("/v1/re-embedding", json={"resizing": resizing}).raise_for_status()
        # Meanwhile and after it: images that come only here, and only there.
        [image] = prompted.post("brick", picture(len(resizing))).json()["images"]
        while http.get("/v1/re-embedding").json()["state"] != "none":
            time.sleep(0.05)
        http.delete(f"{prompted.class_url('brick')}/images/{image['id']}").raise_for_status()
        assert answers(prompted) == near(before)
        plain.post("grass", picture(len(resizing))).raise_for_status()
        assert set(answers(plain)) == set(before)
    assert http.get("/v1/re-embedding").json()["resizing"] == "pillow"


def test_prompts_are_of_their_tenant(
    running: Keyed, http: httpx.Client, model: Model, expected: dict[str, float]
) -> None:
    key = running.key(tenant="other", scopes=["read", "predict", "write", "admin"])
    reading = running.key(tenant="other", scopes=["read"])
    of_one = running.key(tenant="other", scopes=["read", "write"], classifiers=["mine"])
    with running.client(key) as other, running.client(reading) as reader:
        assert other.get("/v1/prompts").json()["prompts"] == []
        problem(other.get("/v1/prompts/one"), 404, "prompts-not-found")
        problem(other.delete("/v1/prompts/one"), 404, "prompts-not-found")
        unknown = Classifier(other, "unknown").put(prompts="one")
        problem(unknown, 404, "prompts-not-found")
        # Another file under that name is the other tenant's own affair.
        assert upload(other, model, "two", "one").status_code == 201
        theirs = taught(other, prompts="one")
        assert answers(taught(http, prompts="one")) == near(expected)
        assert answers(theirs) == near(answers(taught(http, prompts="two")))
        problem(upload(reader, model, "one", "three"), 403, "not-allowed")
        assert reader.get("/v1/prompts/one").json()["classifiers"] == [theirs.name]
        with running.client(of_one) as some:
            assert some.get("/v1/prompts/one").json()["classifiers"] == []
            refused = problem(some.delete("/v1/prompts/one"), 409, "prompts-in-use")
            assert theirs.name not in str(refused)
        log = other.get("/v1/audit", params={"action": "prompts.put"}).json()["entries"]
        assert [entry["details"]["prompts"] for entry in log] == ["one"]
        other.delete(theirs.url).raise_for_status()
        other.delete("/v1/prompts/one").raise_for_status()
    # What this tenant embedded with the same file is still there.
    assert answers(taught(http, prompts="two")) == near(answers(taught(http, prompts="two")))


def test_a_request_with_a_key_is_carried_out_once(http: httpx.Client, model: Model) -> None:
    put = partial(http.put, "/v1/prompts/keyed", headers={"idempotency-key": "once"})
    content = model.files["two"].read_bytes()
    assert put(content=content).status_code == 201
    again = put(content=content)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    problem(put(content=model.files["one"].read_bytes()), 422, "idempotency-key-reused")
    http.delete("/v1/prompts/keyed").raise_for_status()


def test_after_a_kill_all_is_as_it_was(
    running: Keyed, http: httpx.Client, model: Model, shared_database: str
) -> None:
    """The last of the module: the service of the others is gone after it."""
    classifier = taught(http, prompts="deep")
    before = answers(classifier)
    server = running.server
    server.kill()
    stored = {"backbone": model.name, "database_url": shared_database}
    with Server.ready(server.data_dir, auth="keys", **stored) as again:
        with Keyed(again, running.operator).client(running.operator) as later:
            assert answers(Classifier(later, classifier.name)) == near(before)
        again.stop()
    # What cannot embed with them does not serve what they have embedded, and leaves it.
    engine = open_database(shared_database)
    settings = Settings(processes=2, backbone=model.name)
    plain = load_backbone(model.name, "cpu")
    several = ChosenPrompts(
        engine, origin_of(plain, settings), prompted_encoders(engine, plain, settings)
    )
    with pytest.raises(StorageError, match=r"have prompts of their own: c.*HANDFUL_PROCESSES=1"):
        several.load_used()
    with pytest.raises(InvalidSettings) as refused:
        several.fingerprint("", "deep")
    assert "HANDFUL_PROCESSES=1" in str(refused.value.detail)
    engine.dispose()
    other = write_small_clip(server.data_dir / "other", seed=1)
    moved = run_handful(
        "re-embed", "--backbone", other, data_dir=server.data_dir, database_url=shared_database
    )
    assert moved.returncode == 1
    assert "have prompts of their own" in " ".join(moved.stderr.split())
    assert "prompts: null" in " ".join(moved.stderr.split())
