"""Pictures of every shape and kind, by the roads that they come."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from adapters.backbones.framing import Framing
from service.images.decoding import decode
from service.images.formats import ACCEPTED, IMAGE_SUFFIXES, ImageFormat, sniff_format
from tests import odd_pictures as odd
from tests.campaigns.images import mutated as campaign_file
from tests.campaigns.images import originals, outcome
from tests.odd_pictures import encoded, flat_png, scene
from tests.reading import READ
from tests.service.client import Classifier, problem
from tests.service.images.test_image_containers import HEIC
from tests.service.pictures import picture, zipped

STRIP = Image.new("RGB", (1, 20_000), "teal")
THIN = {
    "high": flat_png(1, 900_000),
    "wide": flat_png(900_000, 1),
    "high.jpg": encoded(STRIP, "JPEG"),
    "wide.jpg": encoded(STRIP.rotate(90, expand=True), "JPEG"),
    "high.gif": encoded(STRIP.quantize(4), "GIF"),
    "wide.bmp": encoded(STRIP.rotate(90, expand=True), "BMP"),
    "wide.tif": encoded(STRIP.rotate(90, expand=True), "TIFF", compression="tiff_lzw"),
    "high.ppm": encoded(STRIP, "PPM"),
    "wide.webp": encoded(STRIP.resize((1, 16_000)).rotate(90, expand=True), "WEBP"),
    "transparent": flat_png(2, 30_000, colour=6),
    "deep": flat_png(30_000, 2, colour=0, depth=16),
}


def test_thin_pictures_are_taken_by_every_road(classifier: Classifier) -> None:
    thin = list(THIN.values())
    answer = classifier.post("thin", *thin[:4])
    assert answer.status_code == 201, answer.text
    archive = zipped({f"strip/{i}.png": content for i, content in enumerate(thin[4:])})
    assert classifier.post_zip(archive).status_code == 201
    assert classifier.post("ordinary", picture(1)).status_code == 201
    for prediction in classifier.predictions(*thin):
        assert prediction["evidence"][0]["similarity"] == pytest.approx(1, abs=1e-3)
    shown = {
        (image["width"], image["height"]) for image in classifier.get_class("thin").json()["images"]
    }
    assert {(1, 900_000), (900_000, 1), (1, 20_000), (20_000, 1)} == shown


def test_phone_pictures_and_netpbm_are_taken_and_given_back_as_they_came(
    classifier: Classifier,
) -> None:
    image = scene((96, 64))
    files = {
        "image/heic": HEIC.read_bytes(),
        "image/x-portable-anymap": encoded(image, "PPM"),
        "image/jpeg": encoded(image, "MPO", save_all=True, append_images=[image.rotate(90)]),
    }
    classifier.post("other", picture(2))
    for media_type, content in files.items():
        answer = classifier.post("scene", content)
        assert answer.status_code == 201, answer.text
        [registered] = answer.json()["images"]
        url = f"{classifier.class_url('scene')}/images/{registered['id']}"
        got = classifier.http.get(url)
        assert got.headers["content-type"] == media_type
        assert got.content == content
    shown = classifier.get_class("scene").json()["images"]
    assert {image["media_type"] for image in shown} == set(files)
    assert {(image["width"], image["height"]) for image in shown} == {(96, 64)}
    for prediction in classifier.predictions(*files.values()):
        assert prediction["top_k"][0]["label"] == "scene"


def test_base64_text_is_told_from_an_image_with_the_files_name(classifier: Classifier) -> None:
    classifier.post("ant", picture(1))
    text = base64.b64encode(encoded(scene((40, 40)), "JPEG"))
    for sent, told in (
        (text, "is the base64 text of a JPEG image"),
        (b"data:image/jpeg;base64," + text, "is a data URI with a JPEG image"),
        (b'"' + base64.encodebytes(encoded(scene((40, 40)))) + b'"', "base64 text of a PNG"),
    ):
        answer = classifier.predict(picture(3), sent)
        problem(answer, 422, "not-an-image", "The image '1.png'", told, "base64 -d")


def test_a_multi_band_tiff_is_refused_with_its_name_and_what_it_is(classifier: Classifier) -> None:
    classifier.post("ant", picture(1))
    content = odd.tiff(bytes(40 * 30 * 5), 40, 30, tags={258: (3, [8] * 5), 277: (3, [5])})
    answer = classifier.predict(picture(3), content)
    problem(answer, 422, "not-an-image", "'1.png'", "5 samples of 8 bits a pixel", "as PNG")


def test_the_kinds_told_are_those_that_are_known() -> None:
    for kind in ImageFormat:
        assert kind.title in ACCEPTED
    assert {".heic", ".avif", ".jpg", ".tiff", ".pgm"} <= IMAGE_SUFFIXES
    for name, content in originals():
        assert sniff_format(content) is not None, name


def test_training_and_serving_see_the_same_pixels() -> None:
    framing = Framing(image_transform_v2(PreprocessCfg(size=32), is_train=False))
    for name, content in originals():
        served = decode(content, 10**6, side=32).pixels
        trained = READ(content, None)
        if min(trained.size) < 96:
            assert np.array_equal(np.asarray(served), np.asarray(trained)), name
        assert torch.equal(framing(served), framing(trained)), name


def test_a_training_image_beyond_the_limit_is_not_read() -> None:
    with pytest.raises(Exception, match="too large"):
        READ(flat_png(20_000, 20_000, colour=0, depth=1), None)


@pytest.mark.parametrize("start", range(0, 600, 100))
def test_mutated_files_are_taken_or_refused_with_a_problem(start: int) -> None:
    for number in range(start, start + 100):
        name, content = campaign_file(1, number)
        told = outcome(content)
        assert not told.startswith("error"), (number, name, told)


def test_a_jpeg_without_its_end_marker_decodes_to_the_same_pixels() -> None:
    content = encoded(scene((60, 40)), "JPEG")
    assert np.array_equal(
        np.asarray(decode(content[:-2], 10**6).pixels), np.asarray(Image.open(io.BytesIO(content)))
    )
