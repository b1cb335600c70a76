"""Maps of a running service: points of real images, before and after the correction."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import httpx2 as httpx
import pytest
import torch
from torch.nn.functional import normalize

from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads import Tuning
from adapters.projection import projected
from service.name_validation import NOT_THESE
from service.registry.snapshot import Snapshot
from service.reports import embedding_map
from service.storage.records import ClassRecord, SupportRecord
from tests.service.client import Classifier, Json, problem
from tests.service.pictures import patches, picture
from tests.service.server import Server

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def made(classifier: Classifier) -> Json:
    response = classifier.http.get(f"{classifier.url}/map")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    document: Json = response.json()
    return document


def centre(document: Json, label: str, kind: str) -> tuple[float, float]:
    points = [one[kind] for one in document["points"] if one["label"] == label]
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)


def test_classes_lie_apart_and_every_image_is_there(classifier: Classifier) -> None:
    classifier.put(names_carry_meaning=False)
    for label in ("brick", "grass", "gravel"):
        classifier.post(label, *patches(label)[:6])
    classifier.post(NOT_THESE, picture(1), picture(2))
    document = made(classifier)
    assert document["classifier"] == classifier.name
    assert (document["method"], document["is_corrected"]) == ("pca", True)
    assert document["of"] == len(document["points"]) == 20
    revision = classifier.http.get(f"{classifier.url}/history").json()["revision"]
    assert document["revision"] == revision
    images = {
        one["id"]: one["label"]
        for label in (*classifier.counts(), NOT_THESE)
        for one in classifier.get_class(label).json()["images"]
    }
    assert {one["image_id"]: one["label"] for one in document["points"]} == images
    for kind in ("frozen", "corrected"):
        assert 0 < sum(document["explained"][kind]) <= 1
        within = [
            math.dist(one[kind], centre(document, label, kind))
            for label in ("brick", "grass")
            for one in document["points"]
            if one["label"] == label
        ]
        apart = math.dist(centre(document, "brick", kind), centre(document, "grass", kind))
        assert apart > 2 * sum(within) / len(within)
    furthest = max(
        math.hypot(*one[kind]) for one in document["points"] for kind in ("frozen", "corrected")
    )
    assert furthest == pytest.approx(1, abs=1e-4)


def test_the_points_are_those_of_the_embeddings(classifier: Classifier) -> None:
    classifier.put(names_carry_meaning=False)
    images = patches("brick")[:5]
    embedded = [
        classifier.http.post("/v1/embeddings", files={"files": one}).json()["embeddings"][0]
        for one in images
    ]
    ids = [one["id"] for one in classifier.post("brick", *images).json()["images"]]
    rows = (torch.tensor([one[kind] for one in embedded]) for kind in ("frozen", "corrected"))
    before, after = projected(ImageEmbeddings(*rows))
    found = {one["image_id"]: one for one in made(classifier)["points"]}
    for kind, plane in (("frozen", before), ("corrected", after)):
        shown = torch.tensor([found[i][kind] for i in ids], dtype=torch.float64)
        assert torch.allclose(shown, plane.points, atol=1e-3)


def test_it_is_kept_until_images_change(classifier: Classifier) -> None:
    classifier.put(names_carry_meaning=False)
    classifier.post("brick", *patches("brick")[:3])
    url = f"{classifier.url}/map"
    first = classifier.http.get(url)
    tag = first.headers["etag"]
    assert classifier.http.get(url).content == first.content
    same = classifier.http.get(url, headers={"if-none-match": tag})
    assert (same.status_code, same.content) == (304, b"")
    classifier.post("grass", *patches("grass")[:2])
    other = classifier.http.get(url, headers={"if-none-match": tag})
    assert other.status_code == 200
    assert len(other.json()["points"]) == 5
    assert other.headers["etag"] != tag


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_images_are_no_trouble(classifier: Classifier, n: int) -> None:
    classifier.put()
    classifier.http.put(classifier.class_url("by name alone")).raise_for_status()
    if n:
        classifier.post("brick", *patches("brick")[:n]).raise_for_status()
    document = made(classifier)
    assert document["of"] == len(document["points"]) == n
    if n == 1:
        assert document["points"][0]["frozen"] == document["points"][0]["corrected"] == [0, 0]
    if n < 2:
        assert document["explained"] == {"frozen": [0, 0], "corrected": [0, 0]}


def test_a_backbone_without_a_correction_says_so(spare: Server) -> None:
    with spare.client() as http:
        classifier = Classifier(http, "map-without-correction")
        classifier.put(names_carry_meaning=False).raise_for_status()
        classifier.post("ant", *map(picture, range(4))).raise_for_status()
        document = made(classifier)
        assert not document["is_corrected"]
        assert all(one["frozen"] == one["corrected"] for one in document["points"])


def test_there_is_none_of_no_classifier(http: httpx.Client) -> None:
    problem(http.get("/v1/classifiers/nowhere/map"), 404, "classifier-not-found")


def test_of_very_many_images_a_sample_has_its_share_of_each_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In this process: registering 20 000 images takes a while."""
    monkeypatch.setattr(embedding_map, "MOST_POINTS", 50)
    counts = {1: 160, 2: 30, 3: 10}
    labels = torch.tensor([one for one, n in counts.items() for _ in range(n)])
    mixed = torch.randperm(200, generator=torch.Generator().manual_seed(0))
    rows = normalize(torch.randn(200, 8, generator=torch.Generator().manual_seed(1)), dim=1)
    support = SupportSet(mixed, labels[mixed], ImageEmbeddings(rows, rows.flip(1)))
    snapshot = Snapshot(
        name="a",
        method="auto",
        logit_scale=1.0,
        records={str(i): ClassRecord(id=i, label=str(i), created_at=NOW) for i in counts},
        images={i: record(i, int(labels[i])) for i in range(200)},
        classes=ClassSet(torch.tensor(list(counts)), None),
        support=support,
        tuning=Tuning(),
        joint=False,
    )
    shown = embedding_map.embedding_map(snapshot, 7)
    assert (shown.of, len(shown.points), shown.revision) == (200, 50, 7)
    assert len({one.image_id for one in shown.points}) == 50
    shares = Counter(one.label for one in shown.points)
    assert all(abs(shares[str(i)] - n / 4) <= 1 for i, n in counts.items())
    # The order in which a classifier holds its images does not matter.
    turned = replace(snapshot, support=support[torch.arange(199, -1, -1)])
    again = embedding_map.embedding_map(turned, 7)
    assert [one.image_id for one in again.points] == [one.image_id for one in shown.points]


def record(i: int, class_id: int) -> SupportRecord:
    return SupportRecord(
        id=i,
        public_id=f"{i:032x}",
        class_id=class_id,
        filename=f"{i}.png",
        sha256="",
        media_type="image/png",
        width=1,
        height=1,
        created_at=NOW,
    )
