"""Which files are taken for the database, under which names, and what of them is unreadable."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from rich.console import Console
from sqlalchemy import Engine, text

from adapters.backbones import Backbone
from adapters.heads import HEADS, Tuning
from adapters.loading import load_backbone
from service.composition import ServiceParts
from service.images.embedded import EmbeddedImage
from service.problems import ClassifierDamaged, ClassifierNotFound, InvalidUpload, OtherBackbone
from service.registry.reembedding import re_embed
from service.registry.registry import Registry
from service.settings import Settings
from service.storage.change import Change
from service.storage.engine import open_database
from service.storage.errors import StorageError
from service.storage.fingerprints import Origin, OtherBackboneError, check_fingerprints
from service.storage.location import sqlite_file
from service.storage.lock import lock_database
from service.storage.stale import StaleEmbeddings
from service.storage.store import Store
from tests.service.pictures import picture
from tests.service.registries import (
    SETTINGS,
    embeddings,
    fill,
    image,
    plain_store,
    registry,
)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# Foreign files


@pytest.mark.parametrize(
    "statements",
    [
        "CREATE TABLE invoices (id INTEGER); INSERT INTO invoices VALUES (1);",
        "CREATE TABLE classifiers (id INTEGER);",
        "PRAGMA journal_mode=WAL; CREATE TABLE invoices (id INTEGER);",
        "CREATE TABLE alembic_version (version_num TEXT); CREATE TABLE invoices (id INTEGER);"
        "INSERT INTO alembic_version VALUES ('0001');",
    ],
)
def test_another_programs_database_is_refused_by_its_tables_and_untouched(
    tmp_path: Path, statements: str
) -> None:
    file = tmp_path / "handful.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(statements)
    before = bytes_of(tmp_path)
    with pytest.raises(StorageError, match="another program") as refused:
        open_database(f"sqlite:///{file}")
    assert "invoices" in str(refused.value) or "classifiers" in str(refused.value)
    assert "--data-dir" in str(refused.value)
    assert bytes_of(tmp_path) == before


def test_another_programs_tables_that_are_in_its_log_only_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "handful.db"
    other = sqlite3.connect(file)
    other.execute("PRAGMA journal_mode=WAL")
    other.execute("CREATE TABLE invoices (id INTEGER)")
    with pytest.raises(StorageError, match="another program"):
        open_database(f"sqlite:///{file}")
    assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("invoices",)]
    other.close()


def test_a_file_that_is_no_database_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "handful.db").write_bytes(b"something else entirely" * 100)
    before = bytes_of(tmp_path)
    with pytest.raises(StorageError, match="is no SQLite database"):
        open_database(f"sqlite:///{tmp_path / 'handful.db'}")
    assert bytes_of(tmp_path) == before


def test_an_empty_file_becomes_the_database(tmp_path: Path) -> None:
    (tmp_path / "handful.db").touch()
    open_database(f"sqlite:///{tmp_path / 'handful.db'}").dispose()


# One file, many names


def test_every_way_to_write_a_file_is_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "handful.db").touch()
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "linked.db").symlink_to(folder / "handful.db")
    monkeypatch.chdir(folder)
    found = {
        sqlite_file(url)
        for url in (
            f"sqlite:///{folder}/handful.db",
            f"sqlite:///{folder}/../a folder/./handful.db",
            "sqlite:///handful.db",
            f"sqlite:///{tmp_path}/link/handful.db",
            f"sqlite:///{tmp_path}/linked.db",
            f"sqlite+pysqlite:///{folder}/handful.db",
            "sqlite:///file:handful.db?uri=true",
            f"sqlite:///file:{folder}/handful.db?mode=rw&uri=true",
            f"sqlite:///file:{tmp_path}/a%2520folder/handful.db?uri=true",
            f"sqlite:///file://localhost{folder}/handful.db?uri=true",
        )
    }
    assert found == {folder / "handful.db"}
    for url in ("sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"):
        assert sqlite_file(url) is None
    assert sqlite_file("postgresql://host/handful.db") is None


def test_a_lock_is_of_the_file_however_it_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    held = lock_database(f"sqlite:///{folder}/handful.db")
    assert isinstance(held, FileLock)
    for url in (
        f"sqlite:///{tmp_path}/link/handful.db",
        f"sqlite:///file:{folder}/handful.db?uri=true",
    ):
        with pytest.raises(StorageError, match="in use by another handful process"):
            lock_database(url)
    held.release()


def test_a_file_with_a_second_hard_link_is_refused(tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path / 'handful.db'}").dispose()
    os.link(tmp_path / "handful.db", tmp_path / "other.db")
    with pytest.raises(StorageError, match="2 names"):
        lock_database(f"sqlite:///{tmp_path / 'other.db'}")


def test_a_uri_of_sqlite_is_opened(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///file:{tmp_path / 'handful.db'}?uri=true")
    Store(engine, Origin("f" * 64, "lite"))
    engine.dispose()
    assert (tmp_path / "handful.db").exists()


# Rows that cannot be read


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, backbone: Backbone) -> Path:
    """A database with two classifiers."""
    file = tmp_path_factory.mktemp("template") / "handful.db"
    engine = open_database(f"sqlite:///{file}")
    fill(registry(plain_store(engine, backbone), backbone), "bad", "good")
    engine.dispose()
    return file


@pytest.fixture
def filled(template: Path, tmp_path: Path) -> Iterator[Engine]:
    shutil.copy(template, tmp_path / "handful.db")
    opened = open_database(f"sqlite:///{tmp_path / 'handful.db'}")
    yield opened
    opened.dispose()


BAD = "(SELECT id FROM classifiers WHERE name = 'bad')"
IMAGES = (
    "(SELECT image_id FROM support JOIN classes ON classes.id = class_id"
    f" WHERE classifier_id = {BAD})"
)
OF_THE_ROW = [
    "UPDATE classifiers SET tuning = '{\"alpha' WHERE name = 'bad'",
    "UPDATE classifiers SET tuning = '[1, 2]' WHERE name = 'bad'",
    "UPDATE classifiers SET tuning = 'null' WHERE name = 'bad'",
    "UPDATE classifiers SET tuning = x'ff00ff' WHERE name = 'bad'",
    f"UPDATE classifiers SET tuning = '{json.dumps({'parameters': {'alpha': 'much'}})}'"
    " WHERE name = 'bad'",
    f"UPDATE classifiers SET tuning = '{json.dumps({'later': 1})}' WHERE name = 'bad'",
    f"UPDATE classifiers SET tuning = '{json.dumps({'head': 'gone'})}' WHERE name = 'bad'",
    "UPDATE classifiers SET templates = '3' WHERE name = 'bad'",
    "UPDATE classifiers SET method = 'oracle' WHERE name = 'bad'",
    "UPDATE classifiers SET created_at = 'yesterday' WHERE name = 'bad'",
    "UPDATE classifiers SET method = CAST(x'ff00fe' AS TEXT) WHERE name = 'bad'",
    "UPDATE classifiers SET tuning_since = 'yesterday' WHERE name = 'bad'",
    "UPDATE classifiers SET images_behind = 'many' WHERE name = 'bad'",
]
BESIDE = [
    f"UPDATE images SET frozen = substr(frozen, 1, 100) WHERE id IN {IMAGES}",
    f"UPDATE images SET corrected = x'00' WHERE id = (SELECT min(image_id) FROM {IMAGES})",
    f"UPDATE images SET frozen = x'' WHERE id IN {IMAGES}",
    "UPDATE images SET frozen = CAST(x'0000c07f' || substr(frozen, 5) AS BLOB)"
    f" WHERE id IN {IMAGES}",
    f"UPDATE images SET media_type = CAST(x'ff00fe' AS TEXT) WHERE id IN {IMAGES}",
    f"UPDATE classes SET text_embedding = x'0102' WHERE classifier_id = {BAD}",
    f"UPDATE classes SET text_embedding = NULL WHERE classifier_id = {BAD} AND label = 'ant'",
    f"UPDATE classes SET created_at = 17 WHERE classifier_id = {BAD}",
]


def asked(made: Registry, name: str) -> int:
    [answer] = made.live(name).predict(embeddings(999), 1, 100)
    return len(answer.evidence)


@pytest.mark.parametrize("statement", [*OF_THE_ROW, *BESIDE])
def test_what_cannot_be_read_costs_one_classifier(
    filled: Engine, backbone: Backbone, statement: str
) -> None:
    with filled.begin() as connection:
        connection.execute(text(statement.replace(":", "\\:")))
    store = plain_store(filled, backbone)
    check_fingerprints(filled, Origin(backbone.fingerprint, backbone.name))
    made = registry(store, backbone, memory=10**9)
    listed = {one.name: one for one in store.classifiers()}
    assert set(listed) == {"bad", "good"}
    assert listed["good"].problem is None
    if statement in OF_THE_ROW:
        assert "damaged" in str(listed["bad"].problem)
    for use in (
        lambda: asked(made, "bad"),
        lambda: made.add_images("bad", [("ant", image(99))]),
        lambda: made.put("bad", SETTINGS, ["cat"]),
    ):
        with pytest.raises(ClassifierDamaged) as refused:
            use()
        assert "'bad'" in str(refused.value.detail)
        assert "DELETE /v1/classifiers/bad" in str(refused.value.detail)
    assert asked(made, "good") == 4
    made.delete("bad")
    with pytest.raises(ClassifierNotFound):
        made.live("bad")
    fill(made, "bad")
    assert asked(made, "bad") == 4


def test_a_tuning_of_a_version_whose_head_was_another_is_made_anew(
    filled: Engine, backbone: Backbone
) -> None:
    old = json.dumps({"parameters": {"alpha": 3.0}, "votes": 4, "loss": 0.5, "head": "gda++"})
    with filled.begin() as connection:
        connection.execute(
            text("UPDATE classifiers SET tuning = :old WHERE name = 'bad'"), {"old": old}
        )
    made = registry(plain_store(filled, backbone), backbone, memory=10**9)
    assert asked(made, "bad") == 4
    live = made.live("bad")
    assert isinstance(live.tuning.parameters, HEADS[live.settings.method].parameters)
    assert not live.tuning_is_current  # the database's is not, until the background has tuned


# Two backbones


def test_what_another_backbone_embedded_is_neither_read_nor_changed_nor_joined(
    filled: Engine, backbone: Backbone
) -> None:
    other = Store(filled, Origin("0" * 64, "lite", "/adapters/other.safetensors"))
    theirs = registry(other, backbone)
    stored = plain_store(filled, backbone).load("bad")
    assert stored is not None
    for use in (
        lambda: theirs.live("bad"),
        lambda: other.state("bad"),
        lambda: other.write(stored.record.state, Change(tuning=stored.record.tuning)),
        lambda: theirs.put("bad", SETTINGS, []),
        lambda: theirs.put("new", SETTINGS, []),
    ):
        with pytest.raises(OtherBackbone) as refused:
            use()
        told = str(refused.value.detail)
        assert f"{backbone.name} ({backbone.fingerprint[:12]})" in told
        assert "handful re-embed --backbone lite --adapter /adapters/other.safetensors" in told
    after = plain_store(filled, backbone).load("bad")
    assert after is not None
    assert after.record == stored.record
    with filled.begin() as connection:  # as if both had created one at the same moment
        connection.execute(text(f"UPDATE classifiers SET fingerprint = '{'0' * 64}'"))
        connection.execute(text("DELETE FROM support"))
    with pytest.raises(OtherBackbone) as refused:
        theirs.add_images("bad", [("ant", image(0))])
    assert "An image of the request is stored already" in str(refused.value.detail)


def photo(seed: int, content: bytes | None = None) -> EmbeddedImage:
    sent = picture(seed) if content is None else content
    digest = hashlib.sha256(sent).hexdigest()
    return replace(image(seed), read=lambda: sent, sha256=digest)


def keeping(engine: Engine, backbone: Backbone) -> Registry:
    """A registry that keeps images, beside others."""
    store = plain_store(engine, backbone, store_images=True)
    return registry(store, backbone, memory=10**9, one_of_several=True)


def test_images_that_cannot_be_decoded_any_more_are_named_before_any_is_changed(
    engine: Engine, backbone: Backbone, tiny_vit: Callable[[int], str]
) -> None:
    old = keeping(engine, backbone)
    old.put("a", SETTINGS, ["ant", "bee/"])
    bad = photo(2, b"GIF89a of another time")
    sent = [("ant", photo(1)), ("bee/", bad), ("ant", bad), ("ant", photo(3))]
    ids = [answer.record.public_id for answer in old.add_images("a", sent)]
    name = tiny_vit(1)
    new = load_backbone(name, "cpu")
    with pytest.raises(StorageError) as refused:
        re_embed(engine, new, Settings(backbone=name), Console(quiet=True))
    told = str(refused.value)
    assert "2 support images cannot be decoded" in told
    assert f"/v1/classifiers/a/classes/bee%2F/images/{ids[1]}: It is a GIF" in told
    assert f"/v1/classifiers/a/classes/ant/images/{ids[2]}: It is a GIF" in told
    check_fingerprints(engine, Origin(backbone.fingerprint, backbone.name))
    old.delete_image("a", "bee/", ids[1])
    old.delete_image("a", "ant", ids[2])
    assert re_embed(engine, new, Settings(backbone=name), Console(quiet=True)) == 2


def test_what_the_old_backbone_adds_while_images_are_embedded_anew_is_embedded_too(
    engine: Engine,
    backbone: Backbone,
    tiny_vit: Callable[[int], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = keeping(engine, backbone)
    old.put("a", SETTINGS, ["ant", "bee"])
    old.add_images("a", [("ant", photo(1)), ("bee", photo(2))])
    before = [photo(3), photo(4)]
    classifiers = StaleEmbeddings.classifiers

    def meanwhile(self: StaleEmbeddings) -> list[str]:
        old.add_images("a", [("ant", before[0])])
        return classifiers(self)

    write = StaleEmbeddings.write

    def and_again(self: StaleEmbeddings, *args: Any) -> None:
        if len(before) == 2:
            old.add_images("a", [("ant", before.pop())])
        write(self, *args)

    monkeypatch.setattr(StaleEmbeddings, "classifiers", meanwhile)
    monkeypatch.setattr(StaleEmbeddings, "write", and_again)
    name = tiny_vit(1)
    new = load_backbone(name, "cpu")
    count = re_embed(engine, new, Settings(backbone=name), Console(quiet=True))
    assert count == 4
    stored = plain_store(engine, new).load("a")
    assert stored is not None
    assert len(stored.support) == 4
    with pytest.raises(OtherBackbone):
        old.live("a")
    check_fingerprints(engine, Origin(new.fingerprint, new.name))


def test_an_image_of_another_backbone_keeps_its_classifier_from_answering(
    filled: Engine, backbone: Backbone
) -> None:
    Store(filled, Origin("0" * 64, "other"))
    with filled.begin() as connection:
        connection.execute(
            text(
                f"UPDATE images SET fingerprint = '{'0' * 64}' WHERE id ="
                f" (SELECT min(image_id) FROM {IMAGES})"
            )
        )
    made = registry(plain_store(filled, backbone), backbone)
    with pytest.raises(OtherBackbone):
        made.live("bad")
    assert asked(made, "good") == 4


def test_a_refusal_names_adapter_and_prompts_of_both_sides(engine: Engine) -> None:
    store = Store(engine, Origin("f" * 64, "ViT-B-16/openai", "/a.safetensors", "/p.safetensors"))
    store.create("insects", Change(settings=SETTINGS, tuning=Tuning()))
    with pytest.raises(OtherBackboneError) as refused:
        check_fingerprints(engine, Origin("0" * 64, "ViT-B-16/openai", "/b.safetensors"))
    told = str(refused.value)
    assert "ViT-B-16/openai (ffffffffffff, adapter /a.safetensors, prompts /p.safetensors)" in told
    assert "ViT-B-16/openai (000000000000, adapter /b.safetensors)" in told
    options = "--backbone ViT-B-16/openai --adapter /a.safetensors --prompts /p.safetensors"
    assert f"Start with {options}" in told
    assert "re-embed --backbone ViT-B-16/openai --adapter /b.safetensors" in told
    with pytest.raises(OtherBackboneError, match="have changed meanwhile"):
        check_fingerprints(
            engine, Origin("1" * 64, "ViT-B-16/openai", "/a.safetensors", "/p.safetensors")
        )


def test_a_file_name_that_no_database_takes_is_refused(engine: Engine, backbone: Backbone) -> None:
    made = registry(plain_store(engine, backbone), backbone)
    fill(made, "a")
    for name in ("a\0.png", "a\ud800.png"):
        with pytest.raises(InvalidUpload):
            made.add_images("a", [("ant", replace(image(50), filename=name))])
    assert asked(made, "a") == 4


def test_a_start_on_another_programs_database_ends_with_the_reason(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "handful.db")) as connection:
        connection.execute("CREATE TABLE invoices (id INTEGER)")
    with pytest.raises(StorageError, match="another program"):
        ServiceParts.start(Settings(data_dir=tmp_path))
