"""A change of a support set as a value, and the settings that it carries to their columns."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import torch
from sqlalchemy import Engine

from adapters.embeddings import ImageEmbeddings, SupportSet
from adapters.growing_support import GrowingSupport
from adapters.heads import Tuning
from service.classifier_settings import ClassifierSettings
from service.storage.change import Change, Written
from service.storage.fingerprints import Origin
from service.storage.records import ClassRecord
from service.storage.store import Store
from service.storage.tables import BackboneRow, ClassifierRow, TrainedPromptsRow
from service.storage.transactions import writing

CLASSES = [
    ClassRecord(id=i, label=label, created_at=datetime.now(UTC))
    for i, label in ((7, "ant"), (3, "bee"), (9, "cat"))
]
SUPPORT = GrowingSupport.of(
    SupportSet(
        torch.tensor([1, 2, 3, 4]),
        torch.tensor([7, 3, 3, 9]),
        ImageEmbeddings(torch.eye(4), torch.eye(4)),
    )
)


def test_a_class_that_is_removed_takes_its_images_along() -> None:
    change = Change(classes_removed=(3,), removed=(4,))
    removed = change.images_removed(SUPPORT)
    assert removed is not None
    assert sorted(removed.tolist()) == [2, 3, 4]
    assert [record.label for record in change.classes_kept(CLASSES)] == ["ant", "cat"]


def test_a_change_without_removals_leaves_images_and_the_order_of_classes() -> None:
    renewed = replace(CLASSES[1], text=torch.ones(4))
    change = Change(classes_renewed=(renewed,))
    assert change.images_removed(SUPPORT) is None
    assert change.embeddings_added() is None
    assert change.classes_kept(CLASSES) == [CLASSES[0], renewed, CLASSES[2]]


def test_every_setting_has_a_column_and_comes_back_as_it_was(engine: Engine) -> None:
    assert set(ClassifierSettings.model_fields) <= set(ClassifierRow.__table__.columns.keys())
    store = Store(engine, Origin("f" * 64, "lite", model="f" * 64), accepts=lambda _: True)
    with writing(engine) as session:
        session.add(BackboneRow(fingerprint="e" * 64, name="lite"))
        session.flush()
        columns = {"sha256": "d" * 64, "model": "f" * 64, "described": {}, "content": b"none"}
        session.add(TrainedPromptsRow(name="satellite", fingerprint="e" * 64, **columns))
    settings = ClassifierSettings(
        method="tip-adapter",
        templates=("a {}", "the {}"),
        names_carry_meaning=False,
        false_rejection_rate=0.25,
        support_views=4,
        multi_label=True,
        prompts="satellite",
        remember="uncertain",
        remember_most=7,
        remember_days=0.5,
        coverage=0.75,
    )
    assert all(
        getattr(settings, name) != field.get_default(call_default_factory=True)
        for name, field in ClassifierSettings.model_fields.items()
    )
    store.create("a", Change(settings=settings, fingerprint="e" * 64, tuning=Tuning()))
    stored, listed = store.load("a"), store.classifier("a")
    assert stored is not None
    assert listed is not None
    assert stored.record.settings == listed.settings == settings


def test_what_was_written_says_what_becomes_of_classes_and_images() -> None:
    renewed = replace(CLASSES[2], text=torch.ones(4))
    new = ClassRecord(id=12, label="dog", created_at=datetime.now(UTC))
    written = Written(
        revision=1,
        classes=[new],
        classes_renewed=(renewed,),
        classes_removed=(3,),
        removed=(4,),
    )
    assert written.classes_after(CLASSES) == [CLASSES[0], renewed, new]
    removed = written.images_removed(SUPPORT)
    assert removed is not None
    assert sorted(removed.tolist()) == [2, 3, 4]
    assert written.added() is None
