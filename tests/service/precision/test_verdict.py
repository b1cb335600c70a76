"""What was measured of precisions decides; what comes with the package, until it was."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from adapters.embeddings import ImageEmbeddings
from adapters.engines import precisions
from adapters.recipe import Precision, Recipe
from adapters.synthetic_pictures import SUBJECTS, picture, pictures
from service import examination
from service.encoder import asked_recipe
from service.precision import verdict as module
from service.precision.tasks import answered, difference, draws
from service.precision.verdict import (
    Measured,
    Verdict,
    own_path,
    own_verdict,
    shipped_verdict,
    write_verdict,
)
from service.settings import Settings

MODEL = "5" * 64


def measured(**points_and_speeds: tuple[float, float]) -> Verdict:
    """A verdict; of each precision its points and its speed."""
    found: dict[Precision, Measured] = {"float32": Measured(50, 0, 0, 1)}
    for precision, (points, speed) in points_and_speeds.items():
        found[precision] = Measured(50 + points, points, 0.1, speed)  # type: ignore[index]
    return Verdict(found, precisions.instructions(), {"torch": "2"}, "2026-11-28", 9.0)


@pytest.fixture(autouse=True)
def all_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "computed_in", lambda precision, **_: precision)


@pytest.mark.parametrize(
    ("verdict", "best"),
    [
        (measured(), "float32"),
        (measured(bfloat16=(-0.3, 2)), "bfloat16"),
        (measured(bfloat16=(-0.31, 2)), "float32"),
        (measured(bfloat16=(0.5, 1.05)), "float32"),  # not worth it
        (measured(bfloat16=(0, 2), int8=(1.2, 2.2)), "bfloat16"),  # int8 is asked for or not used
        (measured(int8=(1.2, 2.2)), "float32"),
    ],
)
def test_the_quickest_that_keeps_accuracy_is_the_best(verdict: Verdict, best: str) -> None:
    assert verdict.precision() == best


def test_what_the_processor_has_no_instructions_for_is_never_best(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "computed_in", lambda *_, **__: "float32")
    assert measured(bfloat16=(0, 2)).precision() == "float32"


def test_a_verdict_is_kept_for_a_model_a_machine_and_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = measured(bfloat16=(0.1, 1.9))
    assert own_verdict(MODEL, tmp_path) is None
    write_verdict(verdict, MODEL, tmp_path)
    assert own_verdict(MODEL, tmp_path) == verdict
    assert own_verdict("6" * 64, tmp_path) is None
    with monkeypatch.context() as patch:
        patch.setattr(module, "versions", lambda: {"torch": "3"})
        assert own_verdict(MODEL, tmp_path) is None
    with monkeypatch.context() as patch:
        patch.setattr(module, "instructions", lambda: "a lesser machine")
        assert own_verdict(MODEL, tmp_path) is None


@pytest.mark.parametrize("content", ["", "{}", '{"measured": 3}', "[]", '{"measured": {}, "x": 1}'])
def test_a_damaged_verdict_is_none(
    content: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_verdict(measured(), MODEL, tmp_path)
    own_path(MODEL, tmp_path).write_text(content)
    with caplog.at_level(logging.WARNING):
        assert own_verdict(MODEL, tmp_path) is None
    assert "measured anew" in caplog.text


def test_the_settings_the_own_verdict_and_what_is_unknown(tmp_path: Path) -> None:
    auto = Settings(cache_dir=tmp_path, device="cpu", precision="auto")
    asked: list[str] = []

    def unknown(model: str) -> Precision:
        asked.append(model)
        return "int8"

    assert asked_recipe(auto, unknown)(MODEL) == Recipe("int8", "antialias")
    assert asked == [MODEL]
    assert asked_recipe(auto)(MODEL) == Recipe()
    write_verdict(measured(bfloat16=(0, 2)), MODEL, tmp_path)
    assert asked_recipe(auto, unknown)(MODEL) == Recipe("bfloat16", "antialias")
    for changed in ({"precision": "float32"}, {"runtime": "eager"}):
        assert asked_recipe(auto.model_copy(update=changed), unknown)(MODEL) == Recipe()
    assert asked == [MODEL]


def test_a_record_of_the_package_is_for_machines_with_its_instructions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [
        json.loads(own_text(replace(measured(bfloat16=(0, speed)), instructions=told), tmp_path))
        for speed, told in ((2.0, "x86_64 avx2"), (3.0, "x86_64 avx2 avx512_bf16"))
    ]
    (tmp_path / "shipped.json").write_text(json.dumps({MODEL: records}))
    monkeypatch.setattr(module, "files", lambda _: tmp_path)

    def speed(here: str) -> float | None:
        monkeypatch.setattr(module, "instructions", lambda: here)
        found = shipped_verdict(MODEL)
        return None if found is None else found.measured["bfloat16"].speed

    assert speed("x86_64 avx2 avx512f avx512_bf16") == 3
    assert speed("x86_64 avx2 avx512f") == 2
    assert speed("aarch64") is None
    assert shipped_verdict("6" * 64) is None


def test_doctor_tells_whose_verdict_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    auto = Settings(cache_dir=tmp_path, device="cpu", precision="auto")

    def told() -> str:
        recipe = asked_recipe(auto)(MODEL)
        backbone: Any = SimpleNamespace(recipe=recipe, model_fingerprint=MODEL)
        found = examination.precision_of(auto, backbone)
        return f"{found.used}: {' '.join(found.remarks)}"

    assert told() == "float32: not yet measured; handful serve does it at its first start"
    record = json.loads(own_text(measured(bfloat16=(0, 2)), tmp_path))
    own_path(MODEL, tmp_path).unlink()
    (tmp_path / "shipped.json").write_text(json.dumps({MODEL: [record]}))
    monkeypatch.setattr(module, "files", lambda _: tmp_path)
    assert told().startswith("bfloat16: measured by the package, 2026-11-28 on ")
    write_verdict(measured(bfloat16=(-1, 2)), MODEL, tmp_path)
    assert told().startswith("float32: measured here on 2026-11-28")
    assert "2.00 times as quick as float32, with -1.00 ± 0.10 points" in told()


def own_text(verdict: Verdict, folder: Path) -> str:
    write_verdict(verdict, MODEL, folder)
    return own_path(MODEL, folder).read_text()


def test_pictures_are_the_same_everywhere_and_no_two_are_alike() -> None:
    drawn = [(name, image.tobytes()) for name, image in pictures(2)]
    assert [name for name, _ in drawn] == [name for name in SUBJECTS for _ in range(2)]
    assert len({content for _, content in drawn}) == len(drawn)
    assert picture("house", 0).tobytes() == next(c for name, c in drawn if name == "house")
    assert {image.size for _, image in pictures(1)} == {(256, 256)}


def test_a_paired_comparison_knows_equal_ones_better_ones_and_chance() -> None:
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(12, 32, generator=generator)

    def rows(noise: float) -> ImageEmbeddings:
        drawn = centres.repeat_interleave(28, 0)
        drawn = drawn + noise * torch.randn(drawn.shape, generator=generator)
        unit = torch.nn.functional.normalize(drawn, dim=1)
        return ImageEmbeddings(unit, unit)

    tasks = [task for shots in (1, 4) for task in draws(12, 28, shots, 5)]
    texts = torch.nn.functional.normalize(centres, dim=1)
    bad, good = rows(4.0), rows(1.0)

    def compare(one: ImageEmbeddings, other: ImageEmbeddings) -> tuple[float, float]:
        first, second = (
            answered(tasks, texts, rows, rows, 20.0, ["tip-adapter++"]) for rows in (one, other)
        )
        found = difference(first, second, n_methods=1)
        return found.points, found.error

    assert compare(bad, bad) == (0, 0)
    assert compare(bad, good)[0] == pytest.approx(-compare(good, bad)[0])
    assert compare(bad, good)[0] > 10
    points, error = compare(bad, rows(4.0))
    assert abs(points) < 4 * error
