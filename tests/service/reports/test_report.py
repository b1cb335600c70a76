"""Reports of a running service on real images."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx
import pytest
from PIL import Image

from tests.service.client import Classifier, Json, problem
from tests.service.pictures import encoded, patches, picture
from tests.service.server import Server

FORMS = ("report", "report.html", "report.png", "report.svg")


def made(classifier: Classifier) -> Json:
    response = classifier.http.get(f"{classifier.url}/report")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    document: Json = response.json()
    return document


def html(classifier: Classifier) -> str:
    response = classifier.http.get(f"{classifier.url}/report.html")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return response.text


def png(classifier: Classifier) -> Image.Image:
    response = classifier.http.get(f"{classifier.url}/report.png")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/png"
    return Image.open(io.BytesIO(response.content))


@pytest.fixture
def textures(classifier: Classifier) -> Classifier:
    """Photographs of brick, grass and gravel, with one of grass among the bricks."""
    classifier.put(method="tip-adapter++")
    classifier.post("brick", *patches("brick")[:7], patches("grass")[10])
    classifier.post("grass", *patches("grass")[:8])
    classifier.post("gravel", *patches("gravel")[:8])
    return classifier


def test_mislabelled_image_is_the_first_suspect(textures: Classifier) -> None:
    document = made(textures)
    stray = textures.get_class("brick").json()["images"][7]
    first = document["suspects"][0]
    assert document["n_suspects"] == len(document["suspects"])
    assert (first["image_id"], first["label"], first["named"]) == (stray["id"], "brick", "grass")
    assert first["probability"] > 3 * first["own_probability"]
    assert first["nearest"]["label"] == "grass"
    for shown, content in ((first, patches("grass")[10]), (first["nearest"], None)):
        answer = textures.http.get(shown["url"])
        assert answer.status_code == 200
        assert content is None or answer.content == content


def test_report_figures_agree_with_each_other_and_the_classifier(textures: Classifier) -> None:
    document = made(textures)
    tuning = textures.http.get(textures.url).json()["tuning"]
    assert document["tuning"] == {
        "method": "tip-adapter++",
        **{key: tuning[key] for key in ("head", "temperature", "votes", "accuracy")},
    }
    assert document["accuracy"] == pytest.approx(tuning["accuracy"])
    assert document["accuracy"] < 1
    assert document["n_images"] == document["examined"]["images"] == 24
    assert {one["label"]: one["n_images"] for one in document["classes"]} == textures.counts()
    rows = document["confusion_matrix"]["rows"]
    assert sum(map(sum, rows)) == document["examined"]["votes"]
    for i, one in enumerate(document["classes"]):
        assert one["accuracy"] == rows[i][i] / one["n_votes"]
    assert (
        sum(one["count"] for one in document["calibration"]["bins"])
        == document["examined"]["votes"]
    )
    for view in document["overlap"].values():
        assert 0 < view["overlap"] < 1


def test_image_saved_again_is_a_near_duplicate(textures: Classifier) -> None:
    again = io.BytesIO()
    Image.open(io.BytesIO(patches("gravel")[2])).save(again, "JPEG", quality=95)
    [copy] = textures.post("gravel", again.getvalue()).json()["images"]
    original = textures.get_class("gravel").json()["images"][2]
    found = {one["image_id"]: one["copy_of"] for one in made(textures)["redundant"]}
    assert found[copy["id"]]["image_id"] == original["id"]
    assert found[copy["id"]]["similarity"] > 0.9


def test_report_is_computed_again_after_each_change(textures: Classifier) -> None:
    before = made(textures)
    assert made(textures) == before
    textures.http.delete(before["suspects"][0]["url"])
    after = made(textures)
    assert after["n_images"] == 23
    assert after["accuracy"] > before["accuracy"]
    textures.put(method="gda++")
    assert made(textures)["tuning"]["method"] == "gda++"


def test_every_member_of_a_report_is_in_the_schema(textures: Classifier) -> None:
    schemas = textures.http.get("/openapi.json").json()["components"]["schemas"]
    document = made(textures)
    for name, value in [
        ("ReportOut", document),
        ("ExaminedOut", document["examined"]),
        ("ClassReport", document["classes"][0]),
        ("Suspect", document["suspects"][0]),
        ("SimilarImage", document["suspects"][0]["nearest"]),
        ("Confusion", document["confusions"][0]),
        ("AdviceOut", document["advice"]),
        ("LearningCurveOut", document["advice"]["curve"]),
        ("ClassNeed", document["advice"]["classes"][0]),
        ("SpareImage", document["advice"]["can_go"][0]),
        ("OverlapOut", document["overlap"]["frozen"]),
        ("SimilarityBin", document["overlap"]["frozen"]["bins"][0]),
        ("MeasuresOut", document["measures"]),
        ("EmbeddingOut", document["measures"]["corrected"]),
        ("AgainstTextsOut", document["measures"]["frozen"]["texts"]),
        ("CalibrationBin", document["calibration"]["bins"][0]),
    ]:
        assert set(value) == set(schemas[name]["properties"]), name
        if name in ("MeasuresOut", "EmbeddingOut", "AgainstTextsOut"):
            told = [one.get("description") for one in schemas[name]["properties"].values()]
            assert all(told), name
    [example] = schemas["ReportOut"]["examples"]
    assert set(example) == set(document)


def test_page_policy_allows_images_alone(textures: Classifier) -> None:
    response = textures.http.get(f"{textures.url}/report.html")
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "<script" not in response.text
    assert "http:" not in response.text.replace("http://HOST:PORT", "")
    assert "https:" not in response.text
    suspect = made(textures)["suspects"][0]
    assert f'src="classes/brick/images/{suspect["image_id"]}"' in response.text


def test_png_shows_the_plots(textures: Classifier) -> None:
    drawn = png(textures)
    assert drawn.size == (1430, 1980)
    colours = drawn.convert("RGB").getcolors(1 << 24)
    assert colours is not None
    assert max(count for count, _ in colours) < 0.9 * 1430 * 1980


def test_svg_shows_the_plots_and_runs_no_script(textures: Classifier) -> None:
    response = textures.http.get(f"{textures.url}/report.svg")
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/svg+xml"
    # An SVG may hold scripts; this one must never run any.
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert ET.fromstring(response.content).tag == "{http://www.w3.org/2000/svg}svg"
    document = made(textures)
    for told in (
        "Before: frozen embedding",
        "After: corrected embedding",
        "modality gap",
        "Have you done enough?",
        "Which class needs images most",
        f"{100 * document['measures']['corrected']['neighbour_accuracy']:.1f} %",
        f"{document['measures']['frozen']['texts']['alignment']:.3f}",
    ):
        assert f"<!-- {told} -->" in response.text  # what the shapes beside it spell


def test_page_shows_the_measures(textures: Classifier) -> None:
    text = html(textures)
    before, after = (made(textures)["measures"][view] for view in ("frozen", "corrected"))
    for share in (before["neighbour_accuracy"], after["neighbour_accuracy"]):
        assert f"<td>{100 * share:.1f} %</td>" in text
    for value in (before["uniformity"], after["uniformity"], after["variance"]):
        assert f"<td>{value:.3f}</td>".replace("-", "−") in text
    assert f"<td>{before['texts']['modality_gap']:.3f}</td>" in text
    assert "Before: frozen embedding" in text
    assert "space of its own" in text
    textures.put(method="tip-adapter++", names_carry_meaning=False)
    assert made(textures)["measures"]["frozen"]["texts"] is None
    assert "Modality gap" not in html(textures)


def test_backbone_without_correction_has_one_embedding(small: Classifier) -> None:
    for texture in ("brick", "grass"):
        small.post(texture, *[_small(patch) for patch in patches(texture)[:4]])
    found = made(small)["measures"]
    assert not found["is_corrected"]
    assert found["frozen"] == found["corrected"]
    assert found["corrected"]["texts"] is not None
    text = html(small)
    assert text.count("so there is one embedding only") == 1
    assert "Before:" not in text
    drawn = small.http.get(f"{small.url}/report.svg").text
    assert "This backbone has no correction." in drawn
    assert "After: corrected embedding" not in drawn


def test_labels_and_filenames_are_escaped(classifier: Classifier) -> None:
    evil = "<script>alert(1)<script>&\"'$\\frac{$"[:40].replace("\\", "")
    name = '"><img src=x onerror=alert(1)>.png'
    classifier.put(method="tip-adapter++")
    url = f"{classifier.class_url(evil)}/images"
    shown = [patches("brick")[i] for i in range(4)]
    again = [encoded(Image.open(io.BytesIO(shown[0])), "JPEG", quality=70)]
    stray = patches("grass")[9]
    for content in (*shown, *again, stray):
        assert classifier.http.post(url, files=[("f", (name, content))]).status_code == 201
    classifier.post("草 $^$", *patches("grass")[:6])
    text = html(classifier)
    assert "<script" not in text
    assert "<img src=x" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "&gt;&lt;img src=x" in text.replace("&#34;", "")
    assert png(classifier).width > 0
    drawn = classifier.http.get(f"{classifier.url}/report.svg")
    assert "<script" not in drawn.text
    ET.fromstring(drawn.content)
    assert made(classifier)["suspects"][0]["filename"].endswith(".png")


def test_labels_are_drawn_in_any_script_or_given_by_number(
    classifier: Classifier, server: Server
) -> None:
    labels = ("猫", "고양이", "قطة", "🐈", "𒀀")
    for number, label in enumerate(labels):
        assert classifier.post(label, picture(2 * number), picture(2 * number + 1)).is_success
    drawn = classifier.http.get(f"{classifier.url}/report.svg").text
    assert all(f"<!-- {label} -->" in drawn for label in labels[:4])
    assert "<!-- class 5: U+12000 -->" in drawn
    assert "report.html shows them" in drawn
    assert all(f"<bdi>{label}</bdi>" in html(classifier) for label in labels)
    assert png(classifier).height > 1000
    assert "missing from font" not in server.log.read_text()


@pytest.mark.parametrize("form", FORMS)
def test_report_returns_404_for_unknown_classifier(http: httpx.Client, form: str) -> None:
    problem(http.get(f"/v1/classifiers/nobody/{form}"), 404, "classifier-not-found", "nobody")


@pytest.mark.parametrize("form", FORMS)
def test_report_returns_404_after_deletion(textures: Classifier, form: str) -> None:
    assert textures.http.get(f"{textures.url}/{form}").status_code == 200
    textures.http.delete(textures.url)
    problem(textures.http.get(f"{textures.url}/{form}"), 404, "classifier-not-found")


def test_report_on_empty_classifier_says_what_to_do(classifier: Classifier) -> None:
    document = made(classifier)
    assert document["accuracy"] is None
    assert document["classes"] == document["suspects"] == document["redundant"] == []
    text = html(classifier)
    assert "no classes and no images" in text
    assert f"/v1/classifiers/{classifier.name}/classes/LABEL/images" in text
    assert png(classifier).height < 400


def test_report_on_classes_without_images_says_what_to_do(classifier: Classifier) -> None:
    classifier.put(classes=["ant", "bee"])
    document = made(classifier)
    assert [one["n_images"] for one in document["classes"]] == [0, 0]
    assert document["confusion_matrix"]["rows"] == [[0, 0], [0, 0]]
    assert "2 classes and no images" in html(classifier)
    assert png(classifier).height < 400


def test_accuracy_is_null_with_one_image_a_class(classifier: Classifier) -> None:
    classifier.post("ant", picture(1))
    classifier.post("bee", picture(2))
    document = made(classifier)
    assert document["examined"]["votes"] == 0
    assert [one["accuracy"] for one in document["classes"]] == [None, None]
    assert document["overlap"]["frozen"]["overlap"] is None
    assert "Accuracy cannot be told yet" in html(classifier)
    assert png(classifier).height < 400


def test_page_names_classes_that_cannot_be_judged(classifier: Classifier) -> None:
    classifier.post("brick", *patches("brick")[:4])
    classifier.post("single", picture(5))
    classifier.put(classes=["by name"])
    text = html(classifier)
    assert "single image: <bdi>single</bdi>" in text.replace("\n", "")
    assert "without images: <bdi>by name</bdi>" in text.replace("\n", "")
    assert png(classifier).height > 1000


def test_page_shows_no_images_when_they_are_not_stored(small: Classifier) -> None:
    for texture in ("brick", "grass"):
        for at in range(0, 8, 4):
            small.post(texture, *[_small(patch) for patch in patches(texture)[at : at + 4]])
    small.post("brick", _small(patches("grass")[12]))
    document = made(small)
    text = html(small)
    assert "<img" not in text
    if document["suspects"]:
        assert "cannot be shown" in text
        problem(small.http.get(document["suspects"][0]["url"]), 404, "image-not-stored")


def _small(content: bytes) -> bytes:
    return encoded(Image.open(io.BytesIO(content)).resize((64, 64)))


def test_report_is_of_one_state_while_images_are_registered(classifier: Classifier) -> None:
    """Every report is of one state: its parts have the same number of images."""
    classifier.post("brick", *patches("brick")[:2])
    classifier.post("grass", *patches("grass")[:2])
    with ThreadPoolExecutor(6) as pool:
        writes = [
            pool.submit(classifier.post, texture, patches(texture)[i])
            for i in range(2, 8)
            for texture in ("brick", "grass")
        ]
        reads = [
            pool.submit(classifier.http.get, f"{classifier.url}/{FORMS[i % len(FORMS)]}")
            for i in range(24)
        ]
        assert {write.result().status_code for write in writes} == {201}
        answers = [read.result() for read in reads]
    assert {answer.status_code for answer in answers} == {200}
    sizes = []
    for answer in answers[:: len(FORMS)]:
        document = answer.json()
        sizes.append(document["n_images"])
        assert sum(one["n_images"] for one in document["classes"]) == sizes[-1]
        examined = document["examined"]
        assert examined["images"] == sizes[-1]
        assert sum(map(sum, document["confusion_matrix"]["rows"])) == examined["votes"]
    assert made(classifier)["n_images"] == 16
