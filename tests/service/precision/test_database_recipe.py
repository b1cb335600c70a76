"""A database keeps the recipe that it was made with; only an empty one gets what is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.recipe import Recipe, recipes
from service.precision.database_recipe import DatabaseRecipe
from tests.service.client import Classifier, probabilities
from tests.service.pictures import picture
from tests.service.server import Server

MODEL = "5" * 64
BFLOAT16 = Recipe("bfloat16")


def test_every_recipe_has_a_fingerprint_of_its_own_and_the_default_one_that_of_the_model() -> None:
    found = [recipe.fingerprint(MODEL) for recipe in recipes()]
    assert len(set(found)) == len(found) == 6
    assert found[0] == Recipe().fingerprint(MODEL) == MODEL
    assert BFLOAT16.fingerprint("6" * 64) not in found


@pytest.mark.parametrize("made_in", recipes())
@pytest.mark.parametrize("asked", recipes())
def test_what_is_stored_decides_whatever_is_asked_for(made_in: Recipe, asked: Recipe) -> None:
    choose = DatabaseRecipe(lambda _: asked, frozenset({made_in.fingerprint(MODEL)}))
    assert choose(MODEL) == made_in
    assert choose("6" * 64) == asked  # of another model, which is refused elsewhere


def test_an_empty_database_gets_what_is_asked_for() -> None:
    assert DatabaseRecipe(lambda _: BFLOAT16, frozenset())(MODEL) == BFLOAT16


def test_of_two_recipes_that_are_there_the_one_asked_for_is_taken() -> None:
    both = frozenset({MODEL, BFLOAT16.fingerprint(MODEL)})
    assert DatabaseRecipe(lambda _: BFLOAT16, both)(MODEL) == BFLOAT16
    assert DatabaseRecipe(lambda _: Recipe("int8"), both)(MODEL) in (Recipe(), BFLOAT16)


def test_a_service_goes_on_in_the_precision_of_its_database(tmp_path: Path, vit: str) -> None:
    asked = [picture(seed) for seed in (3, 13, 20)]
    with Server.ready(tmp_path, backbone=vit, precision="float32") as server:
        with server.client() as http:
            classifier = Classifier(http, "insects")
            classifier.put()
            classifier.post("ant", picture(1), picture(2))
            classifier.post("bee", picture(11), picture(12))
            before = [probabilities(one) for one in classifier.predictions(*asked)]
        server.stop()
    told = len(server.log.read_text())
    with Server.ready(tmp_path, backbone=vit, precision="bfloat16") as server:
        with server.client() as http:
            after = Classifier(http, "insects").predictions(*asked)
            assert [probabilities(one) for one in after] == [
                pytest.approx(one, abs=1e-5) for one in before
            ]
        server.stop()
    log = server.log.read_text()[told:]
    assert "(openvino, float32)" in log
    assert "handful re-embed --precision bfloat16" in log


def test_a_new_database_is_made_in_the_precision_asked_for(tmp_path: Path, vit: str) -> None:
    with Server.ready(tmp_path, backbone=vit, precision="bfloat16") as server:
        with server.client() as http:
            classifier = Classifier(http, "insects")
            classifier.put()
            classifier.post("ant", picture(1))
            (before,) = classifier.predictions(picture(3))
        server.stop()
    # A later start keeps it, too.
    with Server.ready(tmp_path, backbone=vit, precision="float32") as server:
        with server.client() as http:
            (after,) = Classifier(http, "insects").predictions(picture(3))
            assert probabilities(after) == pytest.approx(probabilities(before), abs=1e-5)
        server.stop()
    assert server.log.read_text().count("(openvino, bfloat16)") == 2
