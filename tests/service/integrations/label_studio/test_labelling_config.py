"""Labelling configurations: which choices of which image are asked for."""

from __future__ import annotations

import pytest

from service.integrations.label_studio.labelling_config import ConfigError, Control, control_of
from tests.service.integrations.label_studio.stand_in import CONFIG, SEVERAL


def test_the_choices_of_an_image_are_found() -> None:
    offered = frozenset({"ant", "bee", "fly"})
    assert control_of(CONFIG) == Control("choice", "image", "image", False, offered)
    assert control_of(SEVERAL).multiple
    assert control_of(
        '<View><Text name="t" value="$t"/><Choices name="c" toName="t"/><Style>.a{}</Style>'
        '<Image name="i" value="$url"/><Choices name="d" toName="i">'
        '<Choice value="x" alias="y"/><Choice value="z"><Choice value="deep"/></Choice></Choices>'
        '<Choices name="e" toName="i"/></View>'
    ) == Control("d", "i", "url", False, frozenset({"y", "z"}))
    dynamic = control_of(CONFIG.replace('toName="image"', 'toName="image" value="$all"'))
    assert dynamic.offered is None


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("", "no XML"),
        ("<View>", "no XML"),
        ("<View/>", "no Choices of an Image"),
        (CONFIG.replace("Image", "Text"), "no Choices of an Image"),
        (CONFIG.replace("$image", "$image/x y"), "no Choices of an Image"),
        (f"<!DOCTYPE a [<!ENTITY b 'c'>]>{CONFIG}", "declares entities"),
        (f"{CONFIG}{' ' * 2**20}", "too long"),
        ("<View>\x00</View>", "no XML"),
    ],
)
def test_what_cannot_be_answered_is_told(config: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        control_of(config)


def test_regions_are_made_of_what_is_offered_and_read_of_what_is_its_own() -> None:
    one, several = control_of(CONFIG), control_of(SEVERAL)
    assert one.chosen(["bee", "ant"])[0]["value"] == {"choices": ["bee"]}
    assert several.chosen(["bee", "wasp", "ant"])[0]["value"] == {"choices": ["bee", "ant"]}
    assert several.chosen(["wasp"]) == []
    assert one.choices_in(several.chosen(["bee", "ant"])) == ["bee", "ant"]
    region = {"type": "choices", "from_name": "other", "value": {"choices": ["ant"]}}
    nested = {"type": "choices", "from_name": "choice", "value": {"choices": [["a", "b"], 1]}}
    for result in (None, "x", [1], [region], [nested], [{"type": "choices", "value": 1}]):
        assert one.choices_in(result) == []


@pytest.mark.parametrize("data", [None, [], {"image": ""}, {"image": ["a"]}, {"other": "a"}])
def test_data_without_an_image_have_none(data: object) -> None:
    assert control_of(CONFIG).image_of(data) is None
    assert control_of(CONFIG).image_of({"image": "/a"}) == "/a"
