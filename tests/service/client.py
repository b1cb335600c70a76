"""One classifier of a running service, and what its answers are compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2 as httpx

from tests.service.documented import check_documented
from tests.service.pictures import picture

Json = dict[str, Any]


@dataclass(frozen=True)
class Classifier:
    """A classifier by its name; methods return the response as it comes."""

    http: httpx.Client
    name: str

    @property
    def url(self) -> str:
        return f"/v1/classifiers/{self.name}"

    def class_url(self, label: str) -> str:
        return f"{self.url}/classes/{quote(label, safe='')}"

    def put(self, **settings: object) -> httpx.Response:
        return self.http.put(self.url, json=settings)

    def post(self, label: str, *images: bytes) -> httpx.Response:
        """Register images as multipart files named 0.png, 1.png..."""
        return self.http.post(f"{self.class_url(label)}/images", files=files(*images))

    def post_body(
        self, body: bytes, media_type: str, where: str = "classes/a/images"
    ) -> httpx.Response:
        return self.http.post(
            f"{self.url}/{where}", content=body, headers={"content-type": media_type}
        )

    def post_support(self, named: dict[str, bytes]) -> httpx.Response:
        """Register multipart files whose names have the label as folder."""
        return self.http.post(
            f"{self.url}/support",
            files=[("files", (name, content)) for name, content in named.items()],
        )

    def post_zip(self, archive: bytes) -> httpx.Response:
        return self.post_body(archive, "application/zip", "support")

    def predict(self, *images: bytes, **parameters: int) -> httpx.Response:
        return self.http.post(f"{self.url}/predict", files=files(*images), params=parameters)

    def predictions(self, *images: bytes, **parameters: int) -> list[Json]:
        response = self.predict(*images, **parameters)
        assert response.status_code == 200, response.text
        answers: list[Json] = response.json()["predictions"]
        return answers

    def get_class(self, label: str) -> httpx.Response:
        return self.http.get(self.class_url(label))

    def counts(self) -> dict[str, int]:
        """Images of each class, in the order of the classes."""
        listed = self.http.get(f"{self.url}/classes").json()["classes"]
        return {one["label"]: one["n_images"] for one in listed}

    def state(self) -> Json:
        """All that can be looked at; equal before and after a request that changed nothing."""
        return {
            "classifier": self.http.get(self.url).json(),
            "classes": [self.get_class(label).json() for label in self.counts()],
        }


def of_four(http: httpx.Client, name: str, image: Callable[[int], bytes] = picture) -> Classifier:
    """A new classifier of two classes with two images each."""
    made = Classifier(http, name)
    made.put().raise_for_status()
    made.post("ant", image(1), image(2)).raise_for_status()
    made.post("bee", image(3), image(4)).raise_for_status()
    return made


def files(*images: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (f"{i}.png", image)) for i, image in enumerate(images)]


def problem(response: httpx.Response, status: int, kind: str, *told: str) -> Json:
    """Check that the answer is this problem, that it is documented, and that it tells this."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: Json = response.json()
    assert document["type"] == kind, document
    assert document["status"] == status, document
    assert document["title"], document
    detail = document.get("detail") or ""
    assert detail, f"no detail: {document}"
    for words in told:
        assert words in detail, f"{words!r} is not told: {document}"
    check_documented(response)
    return document


def probabilities(prediction: Json) -> dict[str, float]:
    return {ranked["label"]: ranked["probability"] for ranked in prediction["top_k"]}
