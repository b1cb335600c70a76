"""The walk with a real Label Studio: labelling, corrections, deletions, pages, and throughput.

    make label-studio                       # Label Studio in an environment of its own
    python -m tests.campaigns.label_studio  # some minutes; --tasks 0 without the throughput

A project with 60 pictures that a programme draws: 20 are labelled by the API of Label Studio, and
predictions for the others are asked for before, between and after. Then annotations are corrected
and deleted, and all webhooks that were sent are sent again, each twice, in another order. Chromium
opens its pages. At last 1000 tasks are pre-annotated, and their pictures classified by the API of
the service, in the same run.

Prints what it finds, and writes it with the screenshots to ``--out``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import httpx2 as httpx
from playwright.sync_api import sync_playwright

from adapters.synthetic_pictures import picture
from tests.service.api.test_keys import Keyed, made
from tests.service.chromium import CHROMIUM
from tests.service.integrations.label_studio.stand_in import label_studio
from tests.service.server import Server

Json = dict[str, Any]

SUBJECTS = ("ring", "star", "fish", "cup", "tree", "checks")
USER, PASSWORD = "ann@example.com", "only-of-this-campaign"
LEGACY = "0123456789abcdef0123456789abcdef01234567"
CHOICES = "".join(f'<Choice value="{one}"/>' for one in SUBJECTS)
CONFIG = (
    '<View><Image name="image" value="$image"/>'
    '<Choices name="choice" toName="image" choice="single" showInLine="true">'
    f"{CHOICES}</Choices></View>"
)
# Label Studio refuses backends and webhooks of private networks unless it is told not to.
SETTINGS = {
    "SSRF_PROTECTION_ENABLED": "false",
    "ML_BLOCK_LOCAL_IP": "false",
    "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
    "COLLECT_ANALYTICS": "false",
    "LATEST_VERSION_CHECK": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
}


def png(subject: str, number: int) -> bytes:
    content = io.BytesIO()
    picture(subject, number).save(content, "PNG")
    return content.getvalue()


def drawn(a_subject: int, first: int = 0) -> list[tuple[str, bytes]]:
    """Pictures with their subjects, one subject after the other."""
    numbers = range(first, first + a_subject)
    return [(subject, png(subject, number)) for number in numbers for subject in SUBJECTS]


@contextlib.contextmanager
def real_label_studio(command: Path, folder: Path) -> Iterator[str]:
    """The URL of a Label Studio that has just been installed."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = os.environ | SETTINGS | {"LABEL_STUDIO_HOST": url}
    environment["LABEL_STUDIO_BASE_DATA_DIR"] = str(folder)
    for name in ("PYTHONPATH", "VIRTUAL_ENV"):
        environment.pop(name, None)
    arguments = ["start", "--no-browser", "--port", str(port), "--internal-host", "127.0.0.1"]
    arguments += ["--username", USER, "--password", PASSWORD, "--user-token", LEGACY]
    with (folder / "label-studio.log").open("wb") as log:
        process = subprocess.Popen(
            [command, *arguments], env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            for _ in range(600):
                with contextlib.suppress(httpx.TransportError):
                    if httpx.get(f"{url}/health", timeout=5).status_code == 200:
                        break
                if process.poll() is not None:
                    break
                time.sleep(0.5)
            yield url
        finally:
            process.terminate()
            process.wait(30)


@dataclass
class Relay:
    """Stands before the service, so that what Label Studio sends is known."""

    to: str
    port: int = 0
    webhooks: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    busy: int = 0

    @contextlib.contextmanager
    def listening(self) -> Iterator[Relay]:
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                kept = ("authorization", "content-type")
                headers = {name: self.headers[name] for name in kept if name in self.headers}
                if self.path.endswith("/webhook"):
                    relay.webhooks.append((self.path, headers, body))
                relay.busy += 1  # also when Label Studio has given it up, after a second
                try:
                    answer = httpx.request(
                        self.command,
                        relay.to + self.path,
                        content=body,
                        headers=headers,
                        timeout=99,
                    )
                finally:
                    relay.busy -= 1
                self.send_response(answer.status_code)
                self.send_header("content-type", answer.headers["content-type"])
                self.send_header("content-length", str(len(answer.content)))
                self.end_headers()
                with contextlib.suppress(OSError):  # it waits for a second, and asks again
                    self.wfile.write(answer.content)

            do_GET = do_POST = _pass_on  # noqa: N815 - as the class has them

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.port = server.server_port
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield self
            server.shutdown()

    def send_again(self, seed: int) -> int:
        """Send all webhooks of annotations again, each twice, in another order."""
        sent = self.webhooks * 2
        random.Random(seed).shuffle(sent)
        for path, headers, body in sent:
            answer = httpx.post(self.to + path, content=body, headers=headers)
            assert answer.status_code == 200, answer.text
        return len(sent)


@dataclass
class Walk:
    """What the walk is made with.

    Attributes:
        there: The API of Label Studio.
        here: The API of the service.
        backend: URL of the classifier, as Label Studio knows it.
        truth: Subjects of tasks.
    """

    there: httpx.Client
    here: httpx.Client
    backend: str
    said: list[str] = field(default_factory=list)
    truth: dict[int, str] = field(default_factory=dict)
    project: int = 0
    relay: Relay | None = None

    def say(self, line: str) -> None:
        print(line, flush=True)
        self.said.append(line)

    def asked(self, method: str, path: str, **given: Any) -> Any:
        answer = self.there.request(method, path, **given)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    def new_project(self, title: str, pictures: Sequence[tuple[str, bytes]]) -> list[int]:
        """A project with tasks of these pictures; their ids, in the order of the pictures."""
        made = self.asked("POST", "/api/projects/", json={"title": title, "label_config": CONFIG})
        self.project = made["id"]
        for start in range(0, len(pictures), 100):
            some = pictures[start : start + 100]
            files = {
                f"f{i}": (f"{start + i:04d}.png", content, "image/png")
                for i, (_, content) in enumerate(some)
            }
            self.asked("POST", f"/api/projects/{self.project}/import", files=files)
        tasks: list[Json] = []
        while len(tasks) < len(pictures):
            page = len(tasks) // 100 + 1
            path = f"/api/tasks/?project={self.project}&page={page}&page_size=100"
            tasks += self.asked("GET", path)["tasks"]
        by_name = {one["data"]["image"].rpartition("-")[2]: one["id"] for one in tasks}
        ids = [by_name[f"{i:04d}.png"] for i in range(len(pictures))]
        self.truth |= dict(zip(ids, [subject for subject, _ in pictures], strict=True))
        return ids

    def annotate(self, task: int, label: str) -> int:
        made = self.asked("POST", f"/api/tasks/{task}/annotations/", json=result_of(label))
        return int(made["id"])

    def status(self) -> Json:
        answer = self.here.get(f"/label-studio/{self.backend}/status")
        assert answer.is_success, answer.text
        found: Json = answer.json()
        return found

    def counts(self) -> dict[str, int]:
        """Images of each class, once nothing waits."""
        while (self.relay is not None and self.relay.busy) or self.status()["waiting"]:
            time.sleep(0.1)
        listed = self.here.get(f"/v1/classifiers/{self.backend}/classes").json()["classes"]
        return {one["label"]: one["n_images"] for one in listed if one["n_images"]}

    def settle(self) -> None:
        """Wait until the classifier is tuned, so that two measurements differ by labels alone."""
        self.counts()
        while (
            self.here.get(f"/v1/classifiers/{self.backend}").json()["tuning"]["state"] != "current"
        ):
            time.sleep(0.2)

    def retrieve(self) -> float:
        """Ask Label Studio for predictions of all tasks; seconds that takes."""
        begun = time.perf_counter()
        self.asked(
            "POST",
            f"/api/dm/actions?id=retrieve_tasks_predictions&project={self.project}",
            json={"selectedItems": {"all": True, "excluded": []}},
            timeout=180,
        )
        return time.perf_counter() - begun

    def predictions(self) -> list[Json]:
        """Those of the latest version, as Label Studio has them."""
        version = self.status()["model_version"]
        every = self.asked("GET", f"/api/predictions/?project={self.project}")
        return [one for one in every if one["model_version"] == version]

    def accuracy(self, tasks: Sequence[int]) -> tuple[int, int]:
        """Of these tasks, how many are predicted, and rightly."""
        of = {one["task"]: one["result"] for one in self.predictions()}
        chosen = {task: of[task][0]["value"]["choices"] for task in tasks if of.get(task)}
        return len(chosen), sum(labels == [self.truth[task]] for task, labels in chosen.items())


def result_of(label: str) -> Json:
    region = {
        "from_name": "choice",
        "to_name": "image",
        "type": "choices",
        "value": {"choices": [label]},
    }
    return {"result": [region]}


def label_and_correct(walk: Walk, relay: Relay, key: str) -> None:
    """20 of 60 pictures labelled; corrections and deletions; all of it again."""
    pictures = drawn(10)
    tasks = walk.new_project("subjects", pictures)
    url = f"http://handful:{key}@127.0.0.1:{relay.port}/label-studio/{walk.backend}"
    given = {"project": walk.project, "url": url, "title": "Handful"}
    made = walk.asked("POST", "/api/ml/", json=given)
    walk.asked(
        "PATCH",
        f"/api/projects/{walk.project}/",
        json={"model_version": made["title"], "evaluate_predictions_automatically": True},
    )
    walk.say(f"connected: {made['readable_state']}, model version {made['model_version']}")
    labelled, others = tasks[:20], tasks[20:]
    annotations: dict[int, int] = {}
    right = []
    for upto in (0, 12, 20):
        for task in labelled[len(annotations) : upto]:
            annotations[task] = walk.annotate(task, walk.truth[task])
        walk.settle()
        walk.retrieve()
        predicted, correct = walk.accuracy(others)
        right.append(correct)
        walk.say(
            f"{upto} of 60 labelled: {predicted} of the other {len(others)} predicted, {correct}"
            f" rightly; {walk.status()['model_version']}"
        )
    assert right[-1] > right[0], "predictions improve"
    assert sum(walk.counts().values()) == 20

    before = walk.counts()
    wrong, gone, with_task = labelled[0], labelled[1], labelled[2]
    walk.asked("PATCH", f"/api/annotations/{annotations[wrong]}/", json=result_of("cup"))
    walk.asked("DELETE", f"/api/annotations/{annotations[gone]}/")
    walk.asked("DELETE", f"/api/tasks/{with_task}/")
    many = {"selectedItems": {"all": False, "included": labelled[3:5]}}
    path = f"/api/dm/actions?id=delete_tasks_annotations&project={walk.project}"
    walk.asked("POST", path, json=many)
    after = walk.counts()
    walk.say(f"before: {before}")
    walk.say(f"one corrected to cup, four deleted in three ways: {after}")
    wanted = dict(before)
    wanted["cup"] = wanted.get("cup", 0) + 1
    for task in labelled[:5]:
        wanted[walk.truth[task]] -= 1
    assert after == {label: n for label, n in wanted.items() if n}
    sent = relay.send_again(seed=1)
    assert walk.counts() == after
    walk.say(f"{sent} webhooks again, twice and in another order: the same")
    walk.asked("POST", f"/api/ml/{made['id']}/train", json={})
    assert walk.counts() == after
    walk.say(f"trained, which compares the whole project: the same; {walk.status()}")
    walk.settle()
    walk.retrieve()


def screenshots(walk: Walk, url: str, out: Path) -> None:
    """Pages of Label Studio as people see them."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(120_000)
        page.goto(f"{url}/user/login/")
        page.fill("#email", USER)
        page.fill("#password", PASSWORD)
        page.click("button[type=submit]")
        page.wait_for_load_state("networkidle")
        last = max(one["task"] for one in walk.predictions())
        for name, path in (
            ("tasks", f"/projects/{walk.project}/data"),
            ("task", f"/projects/{walk.project}/data?task={last}"),
            ("model", f"/projects/{walk.project}/settings/ml"),
        ):
            page.goto(url + path)
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(4000)
            page.screenshot(path=out / f"{name}.png")
            walk.say(f"screenshot {name}.png")
        browser.close()


def of_itself(walk: Walk, contents: Sequence[bytes]) -> float:
    """Images a second of the service's own API, in forms of 40, four at a time."""
    groups = [contents[i : i + 40] for i in range(0, len(contents), 40)]

    def ask(some: Sequence[bytes]) -> None:
        files = [("files", (f"{i}.png", one, "image/png")) for i, one in enumerate(some)]
        answer = walk.here.post(f"/v1/classifiers/{walk.backend}/predict", files=files)
        assert answer.status_code == 200, answer.text

    begun = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, groups))
    return len(contents) / (time.perf_counter() - begun)


def as_a_backend(walk: Walk, body: Json) -> float:
    """Tasks a second of what Label Studio asks, all in one request."""
    begun = time.perf_counter()
    answer = walk.here.post(f"/label-studio/{walk.backend}/predict", json=body)
    seconds = time.perf_counter() - begun
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    predicted = sum(isinstance(one, dict) for one in results)
    walk.say(f"  one request of {len(results)} tasks: {predicted} predicted in {seconds:.1f} s")
    return predicted / seconds


def throughput(walk: Walk, tasks: int, rounds: int) -> None:
    """Pictures that the real Label Studio serves, against the service's own throughput."""
    pictures = many(tasks)
    walk.new_project("many", pictures)
    listed: list[Json] = []
    for page in range(1, -(-tasks // 100) + 1):
        path = f"/api/tasks/?project={walk.project}&page={page}&page_size=100"
        listed += walk.asked("GET", path)["tasks"]
    compared(walk, [content for _, content in pictures], listed, rounds, "the real Label Studio")


def throughput_of_the_service(walk: Walk, tasks: int, rounds: int, files: Path) -> None:
    """The same with a stand-in that serves files and does nothing else."""
    contents = [content for _, content in many(tasks)]
    with label_studio() as light:
        listed = [light.task(content) for content in contents]
        with beside(light.url, files) as other:
            elsewhere = Walk(walk.there, other, walk.backend, walk.said)
            assert other.put(f"/v1/classifiers/{walk.backend}", json={}).is_success
            for subject, content in drawn(2, first=5000):
                where = f"/v1/classifiers/{walk.backend}/classes/{subject}/images"
                posted = other.post(where, files={"f": ("a.png", content, "image/png")})
                assert posted.is_success, posted.text
            elsewhere.settle()
            compared(elsewhere, contents, listed, rounds, "a file server that costs little")


def many(tasks: int) -> list[tuple[str, bytes]]:
    return drawn(-(-tasks // len(SUBJECTS)), first=100)[:tasks]


def compared(
    walk: Walk, contents: Sequence[bytes], tasks: list[Json], rounds: int, of: str
) -> None:
    """Both ways in turns, so that they meet one load; medians."""
    size = sum(map(len, contents)) / len(contents) / 1000
    walk.say(f"{len(contents)} pictures of {size:.0f} kB on average, of {of} on these processors")
    body = {"tasks": tasks, "project": "1.1", "label_config": CONFIG, "params": {}}
    own, asked = [], []
    of_itself(walk, contents[:100])
    for _ in range(rounds):
        own.append(of_itself(walk, contents))
        asked.append(as_a_backend(walk, body))
    mine, its = median(own), median(asked)
    walk.say(f"  own API {mine:.1f} images/s, as a backend {its:.1f} tasks/s: {its / mine:.0%}")


@contextlib.contextmanager
def beside(url: str, folder: Path) -> Iterator[httpx.Client]:
    """Another service of the same settings, whose pictures are elsewhere; the first one rests."""
    with (
        Server.ready(
            folder, integrations="label-studio", label_studio_url=url, label_studio_token=LEGACY
        ) as other,
        other.client() as http,
    ):
        yield http
        other.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--label-studio", type=Path, default=Path(".label-studio/bin/label-studio"))
    parser.add_argument("--out", type=Path, default=Path("benchmark-results/label-studio"))
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3, help="whose medians are told")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="handful-label-studio-") as name:
        folder = Path(name)
        (folder / "there").mkdir()
        operator = made(folder / "here", "--scopes", "admin")
        with real_label_studio(options.label_studio, folder / "there") as url:
            token = httpx.post(
                f"{url}/api/token/", headers={"authorization": f"Token {LEGACY}"}, timeout=60
            ).json()["token"]
            with (
                Server.ready(
                    folder / "here",
                    auth="keys",
                    precision="float32",
                    predict_seconds=600,
                    integrations="label-studio",
                    label_studio_url=url,
                    label_studio_token=token,
                ) as server,
                Relay(server.url).listening() as relay,
                httpx.Client(
                    base_url=url, headers={"authorization": f"Token {LEGACY}"}, timeout=120
                ) as there,
            ):
                key = Keyed(server, operator).key(scopes=["read", "predict", "write"])
                here = Keyed(server, operator).client(key)
                walk = Walk(there, here, "subjects", relay=relay)
                version = walk.asked("GET", "/api/version")["release"]
                walk.say(f"Label Studio {version}, with a personal access token")
                assert here.put("/v1/classifiers/subjects", json={}).is_success
                label_and_correct(walk, relay, key)
                screenshots(walk, url, options.out)
                if options.tasks:
                    throughput(walk, options.tasks, options.rounds)
                log = server.log.read_text()
                assert "Traceback" not in log
                assert token not in log
                assert LEGACY not in log
                server.stop()
            if options.tasks:
                throughput_of_the_service(walk, options.tasks, options.rounds, folder / "beside")
    (options.out / "walk.txt").write_text("\n".join(walk.said) + "\n")
    (options.out / "walk.json").write_text(json.dumps(walk.said, indent=1))


if __name__ == "__main__":
    main()
