"""Any change of a classifier's file is refused as a problem, or the file is read as it was."""

from __future__ import annotations

import io
import json
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from fastapi_problem.error import StatusProblem
from hypothesis import given, settings
from safetensors.torch import load, save
from sqlalchemy import Engine

from adapters.backbones import Backbone
from service.exchange import ExportedClassifier, read_classifier
from service.registry.importing import Import, has_to_be_embedded
from service.registry.registry import Registry
from service.storage.store import Store
from tests.service.exchange.files import LIMITS, made, packed, unpacked, written
from tests.service.exchange.test_reading import assert_equal
from tests.service.registries import plain_store, registry

FILE = written(made())
NAMES = ["classifier.json", "classes.jsonl", "images.jsonl"]
FEW = settings(max_examples=300, deadline=None, derandomize=True)


def check_refusal(problem: StatusProblem) -> None:
    assert 400 <= problem.status < 500
    assert len(problem.detail or "") < 2000


def read(file: bytes) -> ExportedClassifier | None:
    """What the file holds, all of its images read; None if it is refused."""
    try:
        opened = read_classifier(io.BytesIO(file), LIMITS)
        for sha256 in opened.kept:
            opened.content(sha256)
    except StatusProblem as problem:
        check_refusal(problem)
        return None
    return opened.classifier


@FEW
@given(at=st.integers(0, len(FILE) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_or_changes_nothing(at: int, bit: int) -> None:
    changed = bytearray(FILE)
    changed[at] ^= 1 << bit
    if (found := read(bytes(changed))) is not None:
        assert_equal(found, made())


@FEW
@given(data=st.data())
def test_files_cut_joined_and_overwritten_are_found(data: st.DataObject) -> None:
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(FILE))] * 2)))
    middle = data.draw(st.binary(max_size=40) | st.just(FILE[: end - start]))
    if (found := read(FILE[:start] + middle + FILE[end:])) is not None:
        assert_equal(found, made())


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = document.items() if isinstance(document, dict) else []
    items = list(enumerate(document)) if isinstance(document, list) else items
    return [path] + [found for key, inner in items for found in places(inner, (*path, key))]


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    inside = document[path[0]]
    copy = document.copy()
    copy[path[0]] = replaced(inside, path[1:], value)
    return copy


def alike(value: Any) -> st.SearchStrategy[Any]:
    """Values of the same kind, of which more are taken."""
    if isinstance(value, bool | None):
        return st.booleans()
    if isinstance(value, int | float):
        return st.integers(0, 5) | st.floats(0, 100) | st.floats(allow_nan=False)
    return st.text("abz 0-:Tµ", max_size=20) if isinstance(value, str) else st.just(value)


def with_other_json(data: st.DataObject, file: bytes) -> bytes:
    """The file with another value somewhere in its JSON."""
    members = unpacked(file)
    name = data.draw(st.sampled_from(NAMES))
    lines = members[name].splitlines() if name.endswith("l") else [members[name]]
    line = data.draw(st.integers(0, len(lines) - 1))
    document = json.loads(lines[line])
    path = data.draw(st.sampled_from(places(document)))
    old = document
    for key in path:
        old = old[key]
    value = data.draw(VALUES | alike(old))
    lines[line] = json.dumps(replaced(document, path, value)).encode()
    return packed(members | {name: b"\n".join(lines) + b"\n"})


@FEW
@given(data=st.data())
def test_any_json_is_refused_or_read_and_written_again(data: st.DataObject) -> None:
    found = read(with_other_json(data, FILE))
    if found is not None:
        again = read(written(found, images=False))
        assert again is not None
        assert_equal(again, found)


@FEW
@given(data=st.data())
def test_any_tensors_are_refused_or_of_unit_rows(data: st.DataObject) -> None:
    members = unpacked(FILE)
    tensors = load(members["embeddings.safetensors"])
    name = data.draw(st.sampled_from(sorted(tensors)))
    shape = data.draw(st.lists(st.integers(0, 5), max_size=3))
    kind = data.draw(st.sampled_from([torch.float32, torch.float64, torch.int64, torch.bool]))
    other = torch.full(shape, data.draw(st.integers(-2, 2))).to(kind)
    found = read(packed(members | {"embeddings.safetensors": save(tensors | {name: other})}))
    if found is not None:
        for rows in (found.embeddings.frozen, found.embeddings.corrected, found.texts):
            assert rows is None or torch.allclose(rows.norm(dim=1), torch.ones(len(rows)))


@pytest.fixture
def store(engine: Engine, backbone: Backbone) -> Store:
    return plain_store(engine, backbone, store_images=True)


def test_what_is_imported_can_be_loaded_answers_and_is_exported_again(
    store: Store, backbone: Backbone
) -> None:
    """Whatever its JSON says: a file is refused, or makes a classifier like any other."""
    own = written(made(backbone.fingerprint))
    imported: Registry = registry(store, backbone)
    counts = {"made": 0, "refused": 0}

    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(data=st.data())
    def try_one(data: st.DataObject) -> None:
        assert store.classifiers() == []
        file = with_other_json(data, own)
        try:
            opened = read_classifier(io.BytesIO(file), LIMITS)
            if has_to_be_embedded(opened, backbone, backbone.fingerprint):
                return
            imported.imports.create("a", Import(file=opened, fingerprint=backbone.fingerprint))
        except StatusProblem as problem:
            check_refusal(problem)
            counts["refused"] += 1
            return
        counts["made"] += 1
        live = imported.live("a")
        [answer] = live.predict(made().embeddings[:1], 5, 5)
        assert answer.top_k
        assert all(ranked.probability >= 0 for ranked in answer.top_k)
        assert [record.filename for record in live.support.values()] == [
            image.filename for image in opened.classifier.images or ()
        ]
        imported.delete("a")

    try_one()
    assert min(counts.values()) > 10, counts
