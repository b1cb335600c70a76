"""The text tower is in memory while there are texts, and embeds the same after a rest."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from adapters.kept import load_compiled
from adapters.kept import text_tower as towers
from adapters.kept.kept_model import KeptModel
from adapters.kept.text_tower import CompiledTexts, TextTower
from tests.tiny_vit import write_tiny_vit

NAMES = ("dog", "sea lake", "Ägypten ½ 日本 😀")


@pytest.fixture
def kept(tmp_path: Path) -> KeptModel:
    (tmp_path / "vit").mkdir()
    load_compiled(f"local-dir:{write_tiny_vit(tmp_path / 'vit')}", cache=tmp_path / "cache")
    (folder,) = (path.parent for path in (tmp_path / "cache").glob("*/model.json"))
    return KeptModel.read(folder)


def nothing_else() -> Callable[..., torch.Tensor]:
    raise AssertionError("the compiled tower can be used")


def test_it_is_let_go_of_after_a_rest(kept: KeptModel, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[CompiledTexts] = []

    def counted(*arguments: object) -> CompiledTexts:
        loads.append(CompiledTexts(*arguments))  # type: ignore[arg-type]
        return loads[-1]

    monkeypatch.setattr(towers, "CompiledTexts", counted)
    tower = TextTower(kept, "float32", 1, nothing_else, rest=0.3)
    first = tower(NAMES)
    for _ in range(8):  # longer than a rest, without one
        time.sleep(0.06)
        tower(NAMES)
    assert len(loads) == 1
    time.sleep(1.0)
    torch.testing.assert_close(tower(NAMES), first, rtol=0, atol=0)
    assert len(loads) == 2


def test_no_texts_load_nothing(kept: KeptModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that are all kept in a database ask for the lengths of no texts."""

    def not_wanted(*_: object) -> CompiledTexts:
        raise AssertionError("there is nothing to embed")

    monkeypatch.setattr(towers, "CompiledTexts", not_wanted)
    assert TextTower(kept, "float32", 1, nothing_else).lengths([]) == []


@pytest.mark.long
def test_who_embeds_while_it_is_let_go_of_has_it_till_then(kept: KeptModel) -> None:
    tower = TextTower(kept, "float32", 1, nothing_else, rest=0.001)
    expected = tower(NAMES)
    with ThreadPoolExecutor(3) as threads:
        for found in threads.map(lambda _: tower(NAMES), range(60)):
            torch.testing.assert_close(found, expected, rtol=0, atol=0)
