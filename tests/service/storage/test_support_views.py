"""Embeddings of support views in the database: beside those of the images, as long as asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path

import alembic.command
import alembic.config
import pytest
import torch
from rich.console import Console
from sqlalchemy import Engine, inspect, select, text, update
from sqlalchemy.orm import Session

import service.storage.migrations
from adapters.backbones import Backbone
from adapters.backbones.support_views import averaged
from adapters.embeddings import ClassSet, ImageEmbeddings, LabelledEmbeddings
from service.classifier_settings import ClassifierSettings
from service.images.decoding import decode
from service.images.embedded import EmbeddedImage, SupportImage
from service.problems import ClassifierDamaged
from service.registry.fitting import new_classifier
from service.registry.reembedding import re_embed
from service.settings import Settings
from service.storage.change import Change, NewClass
from service.storage.engine import open_database
from service.storage.fingerprints import OtherBackboneError, check_fingerprints
from service.storage.importing import WholeClass, WholeClassifier, WholeImage
from service.storage.records import TuningState
from service.storage.store import Store
from service.storage.tables import ContentRow, ImageRow, ViewsRow
from tests.service.pictures import picture
from tests.service.stored import OWN, TUNING, embeddings, loaded, rows, support, write

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
MIGRATIONS = Path(service.storage.migrations.__path__[0])


@pytest.fixture
def store(engine: Engine) -> Store:
    return Store(engine, OWN)


def create(store: Store, name: str, views: int) -> None:
    classes = (NewClass(label="ant"), NewClass(label="bee"))
    settings = ClassifierSettings(support_views=views)
    store.create(name, Change(settings=settings, tuning=TUNING, classes_added=classes))


def of_views(seed: int, label: str, views: int) -> SupportImage:
    """The image of :func:`support`, with other embeddings for each number of views."""
    if views == 1:
        return support(seed, label)
    return support(
        seed,
        label,
        views=views,
        embeddings=embeddings(1000 * views + seed),
        itself=embeddings(seed),
    )


def same(one: ImageEmbeddings, *others: ImageEmbeddings) -> bool:
    other = ImageEmbeddings.concatenate(others)
    return torch.equal(one.frozen, other.frozen) and torch.equal(one.corrected, other.corrected)


def views_of(engine: Engine) -> list[tuple[int, int]]:
    with Session(engine) as session:
        found = select(ViewsRow.image_id, ViewsRow.views).order_by(
            ViewsRow.image_id, ViewsRow.views
        )
        return [(row.image_id, row.views) for row in session.execute(found)]


def test_one_image_has_an_embedding_for_each_number_of_views(engine: Engine, store: Store) -> None:
    for views in (4, 1, 10):
        create(store, f"of-{views}", views)
        written = write(store, f"of-{views}", added=(of_views(1, "ant", views),))
        assert written.embeddings is not None
        assert same(written.embeddings, of_views(1, "ant", views).image.embeddings)
    assert rows(engine, ImageRow) == rows(engine, ContentRow) == 1
    assert [views for _, views in views_of(engine)] == [4, 10]
    for views in (4, 1, 10):
        stored = loaded(store, f"of-{views}")
        assert stored.record.settings.support_views == views
        assert same(stored.embeddings, of_views(1, "ant", views).image.embeddings)


def test_what_an_image_is_as_a_query_is_known_unless_a_file_brought_it(
    engine: Engine, store: Store
) -> None:
    create(store, "a", 4)
    write(store, "a", added=(of_views(1, "ant", 4), of_views(2, "bee", 4)))
    of_file = replace(of_views(3, "ant", 4).image, itself=None)
    store.create_whole("imported", whole(of_file, views=4))
    ids = [record.id for record in loaded(store, "a").support]
    found = store.query_embeddings("a")
    assert list(found) == ids
    for i, seed in zip(ids, (1, 2), strict=True):
        assert torch.equal(found[i], embeddings(seed).corrected[0])
    assert store.query_embeddings("imported") == store.query_embeddings("nobody") == {}
    Store(engine, replace(OWN, fingerprint="e" * 64, name="other"))
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(update(ImageRow).where(ImageRow.id == 1).values(fingerprint="e" * 64))
    assert list(store.query_embeddings("a")) == ids[1:]
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(update(ImageRow).where(ImageRow.id == 2).values(corrected=b"123"))
    with pytest.raises(ClassifierDamaged) as damaged:
        store.query_embeddings("a")
    assert "are not those that were written" in str(damaged.value.detail)


def test_who_follows_reads_the_views_of_the_classifier(store: Store) -> None:
    create(store, "a", 4)
    state = loaded(store, "a").record.state
    write(store, "a", added=(of_views(1, "ant", 4), of_views(2, "bee", 4)))
    followed = store.written_since(state)
    assert followed is not None
    assert followed.embeddings is not None
    expected = [of_views(seed, "ant", 4).image.embeddings for seed in (1, 2)]
    assert same(followed.embeddings, *expected)


def test_what_was_stored_first_is_kept(engine: Engine, store: Store) -> None:
    for name in "ab":
        create(store, name, 4)
    write(store, "a", added=(of_views(1, "ant", 4),))
    write(store, "b", added=(support(1, "ant", views=4, itself=embeddings(8)),))
    assert same(loaded(store, "b").embeddings, loaded(store, "a").embeddings)
    assert len(views_of(engine)) == 1


def test_views_go_with_the_last_classifier_that_asks_for_them(engine: Engine, store: Store) -> None:
    for name, views in (("a", 4), ("b", 4), ("c", 10), ("d", 1)):
        create(store, name, views)
        write(store, name, added=(of_views(1, "ant", views), of_views(2, "bee", views)))
    assert [views for _, views in views_of(engine)] == [4, 10, 4, 10]
    write(store, "a", removed=(loaded(store, "a").support[0].id,))
    assert [views for _, views in views_of(engine)] == [4, 10, 4, 10]
    write(store, "b", classes_removed=(loaded(store, "b").classes[0].id,))
    assert [views for _, views in views_of(engine)] == [10, 4, 10]
    store.delete_classifier(loaded(store, "c").record.id)
    assert [views for _, views in views_of(engine)] == [4]
    store.delete_classifier(loaded(store, "d").record.id)
    assert rows(engine, ImageRow) == 1
    for name in "ab":
        store.delete_classifier(loaded(store, name).record.id)
    assert rows(engine, ImageRow) == rows(engine, ViewsRow) == 0


def test_another_number_of_views_replaces_those_that_nobody_asks_for(
    engine: Engine, store: Store
) -> None:
    for name in "ab":
        create(store, name, 4)
        write(store, name, added=(of_views(1, "ant", 4), of_views(2, "bee", 4)))
    for views, left in ((10, [4, 10, 4, 10]), (1, [4, 4]), (2, [2, 4, 2, 4])):
        stored = loaded(store, "a")
        renewed = {
            record.id: of_views(seed, "ant", views).image
            for record, seed in zip(stored.support, (1, 2), strict=True)
        }
        settings = ClassifierSettings(support_views=views)
        written = write(store, "a", settings=settings, renewed=renewed)
        assert written.renewed == renewed
        after = loaded(store, "a")
        assert same(after.embeddings, *(image.embeddings for image in renewed.values()))
        assert after.support == stored.support
        assert [number for _, number in views_of(engine)] == left
        assert store.written_since(stored.record.state) is None  # to be read anew
    assert same(
        loaded(store, "b").embeddings, *(of_views(s, "", 4).image.embeddings for s in (1, 2))
    )


def test_missing_views_are_damage_and_not_missing_images(engine: Engine, store: Store) -> None:
    create(store, "a", 4)
    write(store, "a", added=(of_views(1, "ant", 4),))
    state = loaded(store, "a").record.state
    write(store, "a", added=(of_views(2, "bee", 4),))
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(update(ViewsRow).where(ViewsRow.image_id == 2).values(views=5))
    with pytest.raises(ClassifierDamaged) as damaged:
        store.load("a")
    assert "the embedding of an image's views is missing" in str(damaged.value.detail)
    assert store.written_since(state) is None


def whole(*images: EmbeddedImage, views: int) -> WholeClassifier:
    return WholeClassifier(
        settings=ClassifierSettings(support_views=views),
        fingerprint=OWN.fingerprint,
        tuning=TUNING,
        tuning_state=TuningState(is_current=True, since=SINCE),
        classes=[WholeClass(label="ant", text=None, created_at=None)],
        images=[
            WholeImage(
                public_id=f"{place:032x}",
                label="ant",
                image=image,
                is_kept=True,
                created_at=SINCE,
            )
            for place, image in enumerate(images, 1)
        ],
    )


def test_an_image_of_a_file_gets_its_own_embedding_when_somebody_has_it(
    engine: Engine, store: Store
) -> None:
    """A file holds those of its views alone."""
    of_file = replace(of_views(1, "ant", 4).image, itself=None)
    store.create_whole("imported", whole(of_file, views=4))
    assert same(loaded(store, "imported").embeddings, of_file.embeddings)
    with Session(engine) as session:
        assert session.scalars(select(ImageRow.frozen)).one() == b""
    create(store, "plain", 1)
    write(store, "plain", added=(of_views(1, "ant", 1),))
    assert same(loaded(store, "plain").embeddings, embeddings(1))
    assert same(loaded(store, "imported").embeddings, of_file.embeddings)
    assert rows(engine, ImageRow) == 1


def downgrade(engine: Engine, version: str) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.execution_options(writes=True).begin() as connection:
        config.attributes["connection"] = connection
        alembic.command.downgrade(config, version)


def test_migrations_there_and_back_leave_every_image_with_an_embedding(
    engine: Engine, store: Store
) -> None:
    create(store, "plain", 1)
    write(store, "plain", added=(of_views(1, "ant", 1),))
    create(store, "views", 4)
    write(store, "views", added=(of_views(2, "ant", 4),))
    of_file = replace(of_views(3, "ant", 4).image, itself=None)
    store.create_whole("imported", whole(of_file, views=4))
    downgrade(engine, "0006")
    with engine.connect() as connection:
        assert "image_views" not in inspect(connection).get_table_names()
        columns = {column["name"] for column in inspect(connection).get_columns("classifiers")}
        assert "support_views" not in columns
        assert connection.scalar(text("SELECT min(length(frozen)) FROM images")) > 0
    place = engine.url
    engine.dispose()
    again = open_database(place.render_as_string(hide_password=False))
    try:
        store = Store(again, OWN)
        for name, expected in (
            ("plain", embeddings(1)),
            ("views", embeddings(2)),
            ("imported", of_file.embeddings),
        ):
            stored = loaded(store, name)
            assert stored.record.settings == ClassifierSettings()
            assert same(stored.embeddings, expected)
    finally:
        again.dispose()


def test_another_backbones_views_are_found_at_the_start(engine: Engine, store: Store) -> None:
    """Written by a service with the old backbone, between reading and writing of a re-embedding."""
    create(store, "a", 4)
    write(store, "a", added=(of_views(1, "ant", 4),))
    check_fingerprints(engine, OWN)
    other = Store(engine, replace(OWN, fingerprint="e" * 64, name="other"))
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(update(ViewsRow).values(fingerprint=other.fingerprint))
    with pytest.raises(OtherBackboneError):
        check_fingerprints(engine, OWN)


def test_re_embedding_makes_the_views_of_each_image(tmp_path: Path, backbone: Backbone) -> None:
    """Those of several numbers of one image, with as many passes as the largest takes."""
    engine = open_database(f"sqlite:///{tmp_path / 'old.db'}")
    store = Store(engine, OWN)
    contents = {seed: picture(seed) for seed in (1, 2, 3)}
    shas = {seed: sha256(content).hexdigest() for seed, content in contents.items()}
    for name, views in (("a", 4), ("b", 3), ("c", 1)):
        create(store, name, views)
        seeds = (1, 2) if name != "c" else (1, 3)
        images = [of_views(seed, "ant", views) for seed in seeds]
        added = tuple(
            SupportImage(
                label, replace(image, read=partial(contents.__getitem__, seed), sha256=shas[seed])
            )
            for seed, (label, image) in zip(seeds, images, strict=True)
        )
        write(store, name, added=added)
    settings = Settings(max_batch=4)
    assert re_embed(engine, backbone, settings, Console(quiet=True)) == 3
    new = Store(engine, replace(OWN, fingerprint=backbone.fingerprint))
    for name, views in (("a", 4), ("b", 3), ("c", 1)):
        stored = new.load(name)
        assert stored is not None
        for row, record in enumerate(stored.support):
            [seed] = [one for one, sha in shas.items() if sha == record.sha256]
            image = decode(contents[seed], 10**6, side=backbone.image_size).pixels
            pixels = backbone.preprocess_views(image, views, record.sha256)
            expected = averaged(backbone.encode_images(torch.stack(pixels)))
            assert torch.allclose(stored.embeddings.frozen[row], expected.frozen[0], atol=1e-5)
            assert torch.allclose(
                stored.embeddings.corrected[row], expected.corrected[0], atol=1e-5
            )
        left_out = stored.record.tuning.left_out_scores
        assert left_out is not None
        assert left_out.count == 2
        as_queries = new.query_embeddings(name)
        settings_ = stored.record.settings
        labelled = LabelledEmbeddings(
            torch.zeros(2, dtype=torch.int64),
            replace(
                stored.embeddings,
                as_queries=torch.stack([as_queries[r.id] for r in stored.support]),
            ),
        )
        texts = torch.stack([record.text for record in stored.classes if record.text is not None])
        tuned = new_classifier(settings_, backbone).tune(ClassSet(torch.arange(2), texts), labelled)
        assert tuned.left_out_scores is not None
        assert left_out.scores == pytest.approx(tuned.left_out_scores.scores, abs=1e-3)
    engine.dispose()
