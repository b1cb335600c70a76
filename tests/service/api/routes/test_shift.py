"""Whether recent queries are like the support images, in answers and in reports."""

from __future__ import annotations

import pytest

from tests.service.client import Classifier, Json
from tests.service.pictures import TEXTURES, patches, picture
from tests.service.server import Server


def textured(classifier: Classifier) -> Classifier:
    """Register eight patches each of brick, grass and gravel."""
    named = {
        f"{texture}/{i}.png": patch
        for texture in TEXTURES
        for i, patch in enumerate(patches(texture)[::2])
    }
    assert classifier.put().is_success
    assert classifier.post_support(named).status_code == 201
    return classifier


@pytest.fixture
def textures(classifier: Classifier) -> Classifier:
    return textured(classifier)


def alike() -> list[bytes]:
    """24 other patches of the same photographs."""
    return [patch for texture in TEXTURES for patch in patches(texture)[1::2]]


def shift(classifier: Classifier, *images: bytes, **parameters: int) -> Json | None:
    answer = classifier.predict(*images, **parameters)
    assert answer.status_code == 200, answer.text
    told: Json | None = answer.json()["shift"]
    return told


def reported(classifier: Classifier) -> tuple[Json | None, str]:
    report = classifier.http.get(f"{classifier.url}/report").json()
    return report["shift"], classifier.http.get(f"{classifier.url}/report.html").text


def begun(classifier: Classifier) -> float:
    """Shifts that the service has counted."""
    metrics = classifier.http.get("/metrics").text.splitlines()
    [line] = [one for one in metrics if one.startswith("handful_shifts_total ")]
    return float(line.split()[1])


def test_queries_like_the_support_images_are_no_shift(textures: Classifier) -> None:
    assert shift(textures, *alike()[:19]) is None
    assert reported(textures)[0] is None
    told = shift(textures, *alike())
    assert told is not None
    assert (told["queries"], told["detected"], told["detail"]) == (43, False, None)
    told_by_report, page = reported(textures)
    assert told_by_report == told
    assert "Recent queries" not in page


def test_queries_from_elsewhere_are_a_shift_in_answer_report_and_metrics(
    textures: Classifier,
) -> None:
    before, counted = textures.predictions(*alike()), begun(textures)
    pictures = [picture(seed) for seed in range(60)]
    told = shift(textures, *pictures)
    assert told is not None
    assert told["queries"] == 84
    assert told["detected"]
    assert told["mean_p_value"] < 0.4
    assert told["detail"].startswith("The last 84 queries look less familiar than the support")
    again = shift(textures, picture(60))
    assert again is not None
    assert again["queries"] == 85
    told_by_report, page = reported(textures)
    assert told_by_report == again
    assert again["detail"] in page
    assert begun(textures) == counted + 1
    # It changes no answer.
    assert textures.predictions(*alike()) == before


def test_the_window_is_bounded_and_long_answers_tell_of_it_too(spare: Server) -> None:
    pictures = [picture(seed) for seed in range(130)]
    with spare.client() as http:
        made = textured(Classifier(http, "window"))
        assert shift(made, *pictures) is not None
        told = shift(made, *pictures, *pictures, top_k=3, evidence=3)  # written beside the loop
        assert http.delete(made.url).status_code == 204
    assert told is not None
    assert told["queries"] == 256


def test_another_tuning_begins_anew(textures: Classifier) -> None:
    pictures = [picture(seed) for seed in range(40)]
    assert shift(textures, *pictures) is not None
    textures.post("noise", *pictures[:8])
    assert shift(textures, *pictures[8:20]) is None
    assert reported(textures)[0] is None


def test_images_that_are_registered_are_no_queries(textures: Classifier) -> None:
    files = [("f", (f"{seed}.png", picture(seed))) for seed in range(40)]
    url = f"{textures.class_url('noise')}/images"
    assert textures.http.post(url, params={"predict": True}, files=files).status_code == 201
    assert reported(textures)[0] is None


def test_where_nothing_can_be_left_out_there_is_no_shift(classifier: Classifier) -> None:
    for texture in TEXTURES:
        classifier.post(texture, patches(texture)[0])
    assert shift(classifier, *alike()) is None
