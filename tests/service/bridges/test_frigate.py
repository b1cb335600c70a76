"""``handful bridge frigate``: objects get sub labels, and Home Assistant is told of them."""

from __future__ import annotations

import json

import pytest

from tests.service.bridges.conftest import Place
from tests.service.bridges.running import new_id, until


def test_an_object_is_named_once_three_pictures_agree(place: Place) -> None:
    event = place.add("nwnnn")
    place.follow(event, 2)
    assert not place.frigate.sub_labels(event)
    place.follow(event, 1)
    found = place.frigate.events[event]
    assert found.sub_label == "Ann"
    assert found.score is not None
    assert 0 < found.score <= 1
    place.follow(event, 2)
    assert len(place.frigate.sub_labels(event)) == 1  # nothing new to say


def test_another_majority_takes_its_word_back(place: Place) -> None:
    event = place.add("nnnwwwww")
    place.follow(event, 8)
    assert len(place.frigate.sub_labels(event)) == 2
    assert place.frigate.events[event].sub_label == "Bob"


def test_who_is_not_known_is_not_named(place: Place) -> None:
    event = place.add("---n-n")
    place.follow(event, 6)
    assert not place.frigate.sub_labels(event)


def test_home_assistant_is_told(place: Place) -> None:
    event = place.add("www")
    place.follow(event, 3)
    states = [json.loads(said) for topic, said in place.broker.history if topic == place.topic()]
    [said] = [one for one in states if one["event_id"] == event]
    assert (said["label"], said["object"]) == ("Bob", "person")
    assert said["score"] == pytest.approx(place.frigate.events[event].score, abs=1e-3)
    topic = "homeassistant/sensor/handful/front_visitors-dot-v1/config"
    made = json.loads(place.broker.retained[topic])
    assert made["state_topic"] == made["json_attributes_topic"] == place.topic()
    assert made["availability_topic"] == "handful/availability"
    assert made["unique_id"] == "handful_front_visitors-dot-v1"
    assert made["device"]["identifiers"] == ["handful_front"]
    assert made["value_template"] == "{{ value_json.label }}"


def test_the_same_picture_is_no_second_opinion(place: Place) -> None:
    event = place.add("n")  # the one that there is, however often it is asked for
    place.follow(event, 5)
    assert not place.frigate.sub_labels(event)
    for _ in range(5):
        place.broker.event(event, taken=1607123955.25)
    place.passed()
    assert place.frigate.events[event].shown == 5  # it was not even fetched


def test_a_sub_label_of_somebody_else_stays(place: Place) -> None:
    told = place.add("nnnn")
    for _ in range(4):
        place.broker.event(told, sub_label=["Mum", 0.9])
    place.passed()
    assert place.frigate.events[told].shown == 0
    meanwhile = place.add("nnn")
    place.frigate.events[meanwhile].sub_label = "Mum"  # and no message has said so yet
    place.follow(meanwhile, 3)
    assert place.frigate.events[meanwhile].sub_label == "Mum"
    assert not place.frigate.sub_labels(meanwhile)
    own = place.add("nnnwwwww")
    place.follow(own, 3)
    place.follow(own, 5, sub_label=["Ann", 0.9])  # that is the bridge's own
    assert place.frigate.events[own].sub_label == "Bob"
    taken_away = place.add("nnn")
    place.follow(taken_away, 3, sub_label=[None, None])
    assert place.frigate.events[taken_away].sub_label == "Ann"


def test_an_event_that_frigate_has_not_stored_yet_is_named(place: Place) -> None:
    event = place.add("nnn")
    place.frigate.events[event].is_stored = False
    place.follow(event, 3)
    assert place.frigate.events[event].sub_label == "Ann"


def test_what_comes_after_the_end_is_old(place: Place) -> None:
    event = place.add("nnnnnn")
    place.broker.event(event, "end")
    until(lambda: place.frigate.events[event].shown == 1)
    for kind in ("new", "update", "update", "end"):
        place.broker.event(event, kind)
    place.passed()
    assert place.frigate.events[event].shown == 1
    usual = place.add("nnn")
    place.follow(usual, 2)
    place.broker.event(usual, "end", end_time=1607123970.5)
    until(lambda: place.frigate.events[usual].sub_label == "Ann")


def test_of_an_object_that_has_just_ended_the_picture_is_waited_for(place: Place) -> None:
    event = place.add("nn")
    place.follow(event, 2)
    last = place.frigate.events[event].pictures
    place.frigate.events[event].pictures = []
    asked = len(place.frigate.asked)
    place.broker.event(event, "end")
    until(lambda: any(event in path for _, path in place.frigate.asked[asked:]))
    place.frigate.events[event].pictures = [*last, last[0]]
    until(lambda: place.frigate.events[event].sub_label == "Ann")


def test_only_what_was_asked_for_is_followed(place: Place) -> None:
    cat, false, away = (place.add("nnn") for _ in range(3))
    for _ in range(4):
        place.broker.event(cat, label="cat")
        place.broker.event(false, false_positive=True)
        place.broker.event(away, camera="attic")
    place.passed()
    for event in (cat, false, away):
        assert place.frigate.events[event].shown == 0


def test_a_message_that_lies_about_the_camera_changes_nothing(place: Place) -> None:
    event = place.add("nnnn", "yard")
    place.follow(event, 3, camera="front")
    assert not place.frigate.sub_labels(event)
    assert event not in str(place.broker.history)


def test_a_picture_that_is_none_is_no_attempt(place: Place) -> None:
    event = place.add("nnn")
    place.frigate.events[event].pictures.insert(1, b"no picture")
    place.follow(event, 3)
    assert not place.frigate.sub_labels(event)
    place.follow(event, 1)
    assert place.frigate.events[event].sub_label == "Ann"


def test_an_event_that_is_gone_is_passed_over(place: Place) -> None:
    gone = new_id()
    place.broker.event(gone)
    place.broker.event(gone, "end")
    place.passed()
