"""What is damaged: the data of a service, made once, and what it answered while it was whole."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import torch
from torch.nn.functional import normalize

from adapters.embeddings import ImageEmbeddings
from service.images.embedded import EmbeddedImage, SupportImage
from service.storage.change import Change, NewClass
from service.storage.engine import open_database
from service.storage.fingerprints import Origin
from service.storage.store import Store
from tests.service.client import Classifier
from tests.service.pictures import TEXTURES, patches, picture
from tests.service.server import Server
from tests.service.stored import OWN, TUNING, create, loaded
from tests.tiny_vit import write_tiny_vit

NAMES = ("textures", "views", "by-name")
"""Classifiers of a service's base."""
_IMAGES = 8
_QUERIES = 3
# Of a class.
_THUMBNAILS = 2
# Of a recipe of `lite`, about.
_WIDTH = 768
Answers = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Base:
    """What a service has left.

    Attributes:
        folder: With ``data``, ``cache`` and ``vit``, the backbone; to be used as ``used``.
        used: Where the service had it: paths are part of what it has kept.
        answers: To :func:`asked`, by what was asked.
    """

    folder: Path
    used: Path
    answers: Answers

    def copy(self) -> Path:
        """Put a copy where the service had it, in the place of the last one."""
        shutil.rmtree(self.used, ignore_errors=True)
        shutil.copytree(self.folder, self.used)
        (self.used / "data" / "server.log").unlink(missing_ok=True)
        return self.used


def settings_of(folder: Path) -> dict[str, object]:
    """Settings of a service on a base or on a copy of it, which looks for damage all the time."""
    return {
        "backbone": f"local-dir:{folder / 'vit'}",
        "cache_dir": folder / "cache",
        "check_hours": 0.0003,
    }


def made_by_a_service(place: Path) -> tuple[Base, Base]:
    """Real pictures in three classifiers, with thumbnails, history and compiled models.

    Args:
        place: An empty folder.

    Returns:
        What a service leaves that was stopped, and what one leaves that was killed, whose last
        changes are in SQLite's log alone.
    """
    folder = place / "used"
    (folder / "vit").mkdir(parents=True)
    write_tiny_vit(folder / "vit", 0)
    with Server.ready(folder / "data", **settings_of(folder)) as server, server.client() as http:
        for name in NAMES:
            made = Classifier(http, name)
            made.put(support_views=4 if name == "views" else 1, remember="all")
            if name == "by-name":
                made.put(method="zero-shot", classes=list(TEXTURES), remember="none")
                continue
            for texture in TEXTURES:
                made.post(texture, *patches(texture)[:_IMAGES]).raise_for_status()
            gone = made.post("gone", picture(7)).json()["images"][0]["id"]
            http.delete(f"{made.class_url('gone')}/images/{gone}").raise_for_status()
        answers = dict(asked(http))
        server.stop()
    wrong = [what for what, one in answers.items() if isinstance(one, httpx.Response)]
    assert not wrong, wrong
    stopped = Base(place / "stopped", folder, answers)
    shutil.copytree(folder, stopped.folder)
    # It makes no check: one that it was killed amid would be its turn for minutes to come.
    unchecking = settings_of(folder) | {"check_hours": 0}
    with Server.ready(folder / "data", **unchecking) as server, server.client() as http:
        for texture in TEXTURES:
            more = patches(texture)[_IMAGES : _IMAGES + 2]
            for content in more:  # a commit each
                Classifier(http, "textures").post(texture, content).raise_for_status()
        answers = dict(asked(http))
        server.kill()
    killed = Base(place / "killed", folder, answers)
    shutil.copytree(folder, killed.folder)
    return stopped, killed


def asked(http: httpx.Client) -> Iterator[tuple[str, Any]]:
    """What clients are told: by what they ask, as values that are equal wherever nothing is lost.

    An answer that is a problem is given as :class:`httpx.Response`.
    """
    queries = [patches(texture)[-1] for texture in TEXTURES][:_QUERIES]
    for name in NAMES:
        made = Classifier(http, name)
        found = made.predict(*queries, top_k=9, evidence=3)
        yield f"predict {name}", _predictions(found)
        listed = http.get(f"{made.url}/classes")
        yield f"classes {name}", _classes(listed)
        for label in TEXTURES:
            images = http.get(made.class_url(label))
            yield f"class {name} {label}", _images(images)
            if not images.is_success:
                continue
            for place, one in enumerate(images.json()["images"]):
                urls = [f"{made.class_url(label)}/images/{one['id']}"]
                if place < _THUMBNAILS:
                    urls.append(f"{made.url}/images/{one['id']}/thumbnail")
                for url in urls:
                    content = http.get(url)
                    digest = hashlib.sha256(content.content).hexdigest()
                    yield f"image {url}", digest if content.is_success else content


def differences(one: Any, other: Any) -> bool:
    """Whether two values of :func:`asked` differ by more than rounding does."""
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) > 1e-3
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) != len(other) or any(map(differences, one, other))
    return bool(one != other)


def _predictions(answer: httpx.Response) -> Any:
    if not answer.is_success:
        return answer
    return [
        (
            sorted((top["label"], float(top["probability"])) for top in one["top_k"]),
            [float(evidence["similarity"]) for evidence in one["evidence"]],
        )
        for one in answer.json()["predictions"]
    ]


def _classes(answer: httpx.Response) -> Any:
    if not answer.is_success:
        return answer
    return [(one["label"], one["n_images"]) for one in answer.json()["classes"]]


def _images(answer: httpx.Response) -> Any:
    if not answer.is_success:
        return answer
    return [(one["id"], one["filename"], one["sha256"]) for one in answer.json()["images"]]


def made_without_a_service(file: Path) -> None:
    """A database with real pictures, and embeddings as wide as real ones; nothing computes them."""
    engine = open_database(f"sqlite:///{file}")
    try:
        store = Store(engine, Origin(OWN.fingerprint, "lite"))
        for name in ("a", "b"):
            create(store, name)
            state = loaded(store, name).record.state
            new = tuple(NewClass(label=label, text=_text(i)) for i, label in enumerate(TEXTURES))
            added = tuple(
                SupportImage(texture, _embedded(content, i))
                for texture in TEXTURES
                for i, content in enumerate(patches(texture))
            )
            store.write(state, Change(tuning=TUNING, classes_added=new, added=added))
    finally:
        engine.dispose()


def _embedded(content: bytes, seed: int) -> EmbeddedImage:
    generator = torch.Generator().manual_seed(seed)
    return EmbeddedImage(
        filename=f"{seed}.png",
        read=lambda: content,
        sha256=hashlib.sha256(content).hexdigest(),
        media_type="image/png",
        width=128,
        height=128,
        fingerprint=OWN.fingerprint,
        embeddings=ImageEmbeddings(
            normalize(torch.randn(1, _WIDTH, generator=generator)),
            normalize(torch.randn(1, _WIDTH, generator=generator)),
        ),
    )


def _text(seed: int) -> torch.Tensor:
    return normalize(torch.randn(_WIDTH, generator=torch.Generator().manual_seed(seed)), dim=0)
