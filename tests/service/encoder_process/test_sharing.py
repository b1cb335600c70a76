"""One model encodes for several who hold none, as if each had it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import copy
from io import BytesIO
from pathlib import Path

import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch import Tensor

from adapters.backbone_errors import BackboneError
from adapters.backbones import Backbone
from adapters.backbones.antialias_framing import AntialiasFraming
from adapters.backbones.framing import Framing
from adapters.backbones.geometry import described_geometry, framing_of
from adapters.embeddings import ImageEmbeddings
from adapters.loading import load_backbone
from adapters.recipe import ChooseRecipe, Recipe
from service.encoder_process.connection import Connection, EncodingFailed
from service.encoder_process.image_passes import ImagePasses, Session
from service.encoder_process.remote import RemoteEncoder, slots_each
from service.encoder_process.server import EncoderServer
from service.encoding.recipes import RecipeEmbedders
from service.images.uploaded import UploadedImage
from service.problems import EncoderAway
from service.settings import Settings


class Host:
    """An encoder's server in a thread, on a Unix socket."""

    def __init__(self, folder: Path, backbone: Backbone, **options: int) -> None:
        self.folder = folder
        self.loaded: list[Recipe] = []
        self.refusal: Exception | None = None
        self._backbone = backbone
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(self.path(0)))
        listening.listen()
        self.server = EncoderServer(listening, self._load, **options)
        threading.Thread(target=self.server.serve, daemon=True).start()

    def path(self, number: int) -> Path:
        return self.folder / f"encoder-{number}"

    def remote(self, recipe: Recipe | ChooseRecipe = Recipe()) -> RemoteEncoder:  # noqa: B008
        return RemoteEncoder(self.path, 2, recipe)

    def _load(self, recipe: Recipe | ChooseRecipe) -> Backbone:
        if self.refusal:
            raise self.refusal
        if not isinstance(recipe, Recipe):
            recipe = recipe(self._backbone.model_fingerprint)
        self.loaded.append(recipe)
        if recipe == self._backbone.recipe:
            return self._backbone
        made = copy(self._backbone)
        made.recipe = recipe
        made.fingerprint = recipe.fingerprint(made.model_fingerprint)
        return made


@pytest.fixture
def host(tmp_path: Path, backbone: Backbone) -> Iterator[Host]:
    made = Host(tmp_path, backbone)
    yield made
    made.server.close()


@pytest.fixture
def remote(host: Host) -> Iterator[RemoteEncoder]:
    made = host.remote()
    yield made
    made.close()


def pictures(count: int, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shape = (count, 32, 32, 3)
    return list(torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator))


def assert_same(found: ImageEmbeddings, expected: ImageEmbeddings) -> None:
    # A row depends on its own image alone, to rounding.
    torch.testing.assert_close(found.frozen, expected.frozen, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.corrected, expected.corrected, rtol=1e-5, atol=1e-6)


def test_it_says_of_itself_what_the_backbone_says(
    remote: RemoteEncoder, backbone: Backbone
) -> None:
    for name in (
        "name",
        "model_fingerprint",
        "fingerprint",
        "recipe",
        "logit_scale",
        "width",
        "corrected_width",
        "templates",
        "image_size",
        "device",
    ):
        assert getattr(remote, name) == getattr(backbone, name), name
    assert remote.correction.name == backbone.correction.name
    assert remote.correction.joint == backbone.correction.joint
    assert remote.available


@pytest.mark.parametrize("size", [(64, 48), (20, 400), (32, 32), (5, 3)])
def test_pictures_are_framed_as_by_the_backbone(
    remote: RemoteEncoder, backbone: Backbone, size: tuple[int, int]
) -> None:
    noise = torch.randint(0, 256, (size[1], size[0], 3), dtype=torch.uint8).numpy()
    image = Image.fromarray(noise)
    assert torch.equal(remote.preprocess(image), backbone.preprocess(image))
    views = zip(
        remote.preprocess_views(image, 3, "0"),
        backbone.preprocess_views(image, 3, "0"),
        strict=True,
    )
    assert all(torch.equal(*pair) for pair in views)


def test_pictures_are_resized_as_the_recipe_says(host: Host, backbone: Backbone) -> None:
    quicker = host.remote(Recipe(resizing="antialias"))
    noise = torch.randint(0, 256, (90, 120, 3), dtype=torch.uint8).numpy()
    image = Image.fromarray(noise)
    found = quicker.preprocess(image)
    assert torch.equal(found, AntialiasFraming(backbone.framing)(image))
    assert not torch.equal(found, backbone.framing(image))
    quicker.close()


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("size", [(64, 48), (20, 400), (33, 40)])
def test_every_preprocessing_of_open_clip_is_the_same_after_the_way(
    mode: str, size: tuple[int, int]
) -> None:
    config = PreprocessCfg(size=32, resize_mode=mode, interpolation="bilinear")
    framing = Framing(image_transform_v2(config, is_train=False))
    described = json.loads(json.dumps(described_geometry(framing)))
    noise = torch.randint(0, 256, (size[1], size[0], 3), dtype=torch.uint8).numpy()
    image = Image.fromarray(noise)
    made = framing_of(described)
    assert torch.equal(made(image), framing(image))
    assert torch.equal(made.mean, framing.mean)
    assert torch.equal(made.std, framing.std)


@pytest.mark.parametrize("count", [1, 7, 100])
def test_images_are_embedded_as_by_the_backbone(
    remote: RemoteEncoder, backbone: Backbone, count: int
) -> None:
    sent = pictures(count)
    expected = backbone.encode_images(torch.stack(sent))
    assert_same(remote.encode_pictures(sent), expected)
    assert_same(remote.encode_images(torch.stack(sent)), expected)
    assert_same(remote.encode_pictures(sent, background=True), expected)


def test_texts_are_embedded_as_by_the_backbone(remote: RemoteEncoder, backbone: Backbone) -> None:
    texts = ["a photo of a cat.", "", "猫 \N{CAT FACE}", "x" * 1000]
    assert torch.equal(remote.encode_texts(texts), backbone.encode_texts(texts))
    assert remote.encode_texts([]).shape == (0, backbone.width)
    labels, templates = ["SeaLake", "forest"], ["a {}.", "the {}"]
    assert torch.equal(
        remote.encode_classes(labels, templates), backbone.encode_classes(labels, templates)
    )
    assert torch.equal(remote.encode_classes(labels), backbone.encode_classes(labels))


def test_many_threads_of_several_processes_get_their_own_rows(
    host: Host, backbone: Backbone
) -> None:
    remotes = [host.remote() for _ in range(3)]

    def ask(number: int) -> None:
        sent = pictures(1 + number % 13, seed=number)
        found = remotes[number % 3].encode_pictures(sent, background=number % 4 == 0)
        assert_same(found, backbone.encode_images(torch.stack(sent)))

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(ask, range(200)))
    for each in remotes:
        each.close()


def test_slots_are_bounded_whatever_the_number_of_processes(remote: RemoteEncoder) -> None:
    of = remote.description
    for processes in (1, 2, 8, 64):
        each = slots_each(of, processes)
        assert 1 <= each <= of.batch
        in_work = of.batch * of.passes
        connections = processes * of.connections
        assert each * connections <= max(4 * in_work + connections, 8 * connections)


def test_a_recipe_is_loaded_once_and_when_it_is_asked_for(host: Host, backbone: Backbone) -> None:
    other = Recipe(resizing="antialias")
    asked: list[str] = []

    def choose(model: str) -> Recipe:
        asked.append(model)
        return other

    assert host.loaded == []
    remotes = [host.remote(choose), host.remote(), host.remote(choose), host.remote(other)]
    assert host.loaded == [other, Recipe()]
    assert asked == [backbone.model_fingerprint] * 2
    assert [each.recipe for each in remotes] == [other, Recipe(), other, other]
    assert remotes[1].fingerprint == backbone.fingerprint
    assert {each.fingerprint for each in remotes} == {
        backbone.fingerprint,
        other.fingerprint(backbone.model_fingerprint),
    }
    for each in remotes:
        assert_same(
            each.encode_pictures(pictures(2)), backbone.encode_images(torch.stack(pictures(2)))
        )
    for each in remotes:
        each.close()


def test_a_recipe_that_nobody_uses_any_more_is_let_go_of(host: Host, backbone: Backbone) -> None:
    other = Recipe(resizing="antialias")
    first, second, third = host.remote(), host.remote(other), host.remote(other)
    first.close()
    until(lambda: set(host.server._hosted) == {other})
    second.close()
    sent = pictures(2)
    assert_same(third.encode_pictures(sent), backbone.encode_images(torch.stack(sent)))
    assert set(host.server._hosted) == {other}
    third.close()
    # The last one stays: whoever comes next need not wait for it.
    again = host.remote(other)
    assert_same(again.encode_pictures(sent), backbone.encode_images(torch.stack(sent)))
    assert host.loaded == [Recipe(), other]
    again.close()


def test_what_cannot_be_loaded_is_told_with_the_reason(host: Host) -> None:
    host.refusal = BackboneError("there are no weights")
    with pytest.raises(BackboneError, match="there are no weights"):
        host.remote()
    host.refusal = RuntimeError("a defect")
    with pytest.raises(EncodingFailed, match="a defect"):
        host.remote()


class Failing:
    """A backbone whose passes fail for pictures that begin with 13."""

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self.passes = 2

    def __getattr__(self, name: str) -> object:
        return getattr(self._backbone, name)

    def encode_images(self, pixels: Tensor) -> ImageEmbeddings:
        if (pixels[:, 0, 0, 0] == 13).any():
            raise RuntimeError("thirteen")
        return self._backbone.encode_images(pixels)


def test_a_pass_that_fails_fails_its_requests_and_no_others(
    tmp_path: Path, backbone: Backbone
) -> None:
    host = Host(tmp_path, Failing(backbone), max_batch=2)  # type: ignore[arg-type]
    remote = host.remote()
    bad = pictures(2)
    bad[1][0, 0, 0] = 13
    good = pictures(2)
    for each in good:
        each[0, 0, 0] = 12
    expected = backbone.encode_images(torch.stack(good))
    for _ in range(5):
        with pytest.raises(EncodingFailed, match="thirteen"):
            remote.encode_pictures(bad)
        assert_same(remote.encode_pictures(good), expected)
    remote.close()
    host.server.close()


def test_who_encodes_is_refused_while_no_encoder_lives(tmp_path: Path, backbone: Backbone) -> None:
    host = Host(tmp_path, backbone)
    remote = host.remote()
    host.server.close()
    with pytest.raises(EncoderAway) as refused:
        remote.encode_pictures(pictures(1))
    assert refused.value.headers == {"retry-after": "5"}
    with pytest.raises(EncoderAway):
        remote.encode_texts(["a"])
    until(lambda: not remote.available)
    remote.close()


def test_an_encoder_that_is_started_again_is_used_if_it_is_the_same(
    tmp_path: Path, backbone: Backbone, tiny_vit: Callable[[int], str]
) -> None:
    reasons: list[str] = []
    host = Host(tmp_path, backbone)
    remote = RemoteEncoder(host.path, 2, Recipe(), on_other=reasons.append)
    sent = pictures(3)
    expected = backbone.encode_images(torch.stack(sent))

    def start_again(loaded: Backbone) -> Host:
        host.server.close()
        host.path(0).unlink()
        until(lambda: not remote.available)
        return Host(tmp_path, loaded)

    host = start_again(backbone)
    until(lambda: remote.available)
    assert_same(remote.encode_pictures(sent), expected)
    assert not reasons
    # Files may have been exchanged meanwhile.
    host = start_again(load_backbone(tiny_vit(1), "cpu"))
    until(lambda: bool(reasons))
    with pytest.raises(EncoderAway):
        remote.encode_pictures(sent)
    remote.close()
    host.server.close()


def test_another_encoder_takes_over_what_broke_off(tmp_path: Path, backbone: Backbone) -> None:
    hosts = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        hosts.append(Host(tmp_path / str(number), backbone, encoders=2))
    remote = RemoteEncoder(lambda number: hosts[number].path(0), 2, Recipe())
    sent = pictures(3)
    expected = backbone.encode_images(torch.stack(sent))
    for _ in range(8):
        assert_same(remote.encode_pictures(sent), expected)
    assert [len(host.loaded) for host in hosts] == [1, 1]
    hosts[0].server.close()
    for _ in range(8):
        assert_same(remote.encode_pictures(sent), expected)
    assert remote.available
    remote.close()
    hosts[1].server.close()


class Held:
    """A backbone whose passes wait, and are written down."""

    passes = 1
    batch = 4

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self.go = threading.Semaphore(0)
        self.begun = threading.Semaphore(0)
        self.seen: list[list[int]] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._backbone, name)

    def encode_images(self, pixels: Tensor) -> ImageEmbeddings:
        self.seen.append([int(each[0, 0, 0]) for each in pixels])
        self.begun.release()
        self.go.acquire()
        return self._backbone.encode_images(pixels)


def marked(mark: int, count: int) -> list[Tensor]:
    made = pictures(count)
    for each in made:
        each[0, 0, 0] = mark
    return made


def sharing(host: Host, count: int) -> list[Connection]:
    """Connections of their own, as those of several processes, that are listened to."""
    made = [Connection(host.path(0), Recipe(), "images") for _ in range(count)]
    for each in made:
        each.share(4)
    until(lambda: len(passes(host)._selector.get_map()) == 1 + count)
    return made


def passes(host: Host) -> ImagePasses:
    return host.server._hosted[Recipe()].images


def waiting(host: Host, count: int) -> None:
    """Wait until so many requests have come that nobody has heard of."""
    selector = passes(host)._selector

    def heard_of() -> int:
        return sum(isinstance(key.data, Session) for key, _ in selector.select(0))

    until(lambda: heard_of() == count)


def until(true: Callable[[], bool]) -> None:
    for _ in range(2000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def test_queries_go_before_registrations_of_other_processes(
    tmp_path: Path, backbone: Backbone
) -> None:
    held = Held(backbone)
    host = Host(tmp_path, held)  # type: ignore[arg-type]
    first, registering, asking = sharing(host, 3)
    with ThreadPoolExecutor(3) as threads:
        running = [threads.submit(first.encode_pictures, marked(1, 1), True)]
        held.begun.acquire()
        running.append(threads.submit(registering.encode_pictures, marked(2, 4), True))
        waiting(host, 1)
        running.append(threads.submit(asking.encode_pictures, marked(3, 4), False))
        waiting(host, 2)
        for _ in range(4):
            held.go.release()
        for each in running:
            each.result(60)
    # One place in four is a registration's, as within a process.
    assert held.seen == [[1], [3, 3, 3, 2], [3], [2, 2, 2]]
    host.server.close()


def test_a_process_that_is_gone_takes_along_what_was_not_begun(
    tmp_path: Path, backbone: Backbone
) -> None:
    held = Held(backbone)
    host = Host(tmp_path, held)  # type: ignore[arg-type]
    first, gone, other = sharing(host, 3)
    with ThreadPoolExecutor(3) as threads:
        running = threads.submit(first.encode_pictures, marked(1, 1), False)
        held.begun.acquire()
        lost = threads.submit(gone.encode_pictures, marked(2, 4), False)
        waiting(host, 1)
        gone.close()
        with pytest.raises(OSError):  # noqa: PT011
            lost.result(60)
        kept = threads.submit(other.encode_pictures, marked(3, 4), False)
        waiting(host, 2)
        for _ in range(2):
            held.go.release()
        running.result(60)
        assert_same(kept.result(60), backbone.encode_images(torch.stack(marked(3, 4))))
    assert all(2 not in seen for seen in held.seen)
    host.server.close()


def test_a_connection_that_speaks_otherwise_is_ended_and_the_others_go_on(
    host: Host, remote: RemoteEncoder, backbone: Backbone
) -> None:
    def speak(said: Sequence[bytes]) -> bytes:
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.settimeout(60)
            stranger.connect(str(host.path(0)))
            for each in said:
                stranger.sendall(each)
            with suppress(ConnectionResetError):  # it has not even read it all
                return stranger.recv(1)
            return b""

    assert speak([b"GET / HTTP/1.1\r\n\r\n"]) == b""
    assert speak([bytes(12)]) == b""
    assert_same(
        remote.encode_pictures(pictures(2)), backbone.encode_images(torch.stack(pictures(2)))
    )


def test_images_are_embedded_in_two_recipes_while_a_database_moves(
    host: Host, backbone: Backbone
) -> None:
    first, other = host.remote(), Recipe(resizing="antialias")
    noise = torch.randint(0, 256, (90, 120, 3), dtype=torch.uint8).numpy()
    written = BytesIO()
    Image.fromarray(noise).save(written, "png")

    async def wait(answer: asyncio.Future[object]) -> None:
        await asyncio.wait([answer])

    async def move() -> None:
        embedders = RecipeEmbedders(first, Settings(), host.remote)
        target = embedders.fingerprint(other)
        assert await asyncio.to_thread(embedders.can_embed, target)
        image = UploadedImage("0.png", written.getvalue)
        for fingerprint in (first.fingerprint, target):
            found = await embedders.query([image], "a", wait, fingerprint)
            pixels = embedders.encoder(fingerprint).preprocess(Image.fromarray(noise))
            assert_same(found, backbone.encode_images(pixels.unsqueeze(0)))
        await asyncio.to_thread(embedders.drop_all_but, target)
        assert_same(await embedders.query([image], "a", wait, target), found)
        # Texts are the first one's, whatever the recipe of images.
        assert first.available
        assert torch.equal(first.encode_texts(["a"]), backbone.encode_texts(["a"]))
        # Back, and the second goes for good.
        assert await asyncio.to_thread(embedders.can_embed, first.fingerprint)
        await asyncio.to_thread(embedders.drop_all_but, first.fingerprint)
        await asyncio.to_thread(until, lambda: set(host.server._hosted) == {Recipe()})
        await embedders.query([image], "a", wait, first.fingerprint)
        embedders.close()

    asyncio.run(move())
    first.close()
