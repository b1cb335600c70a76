"""Pairs from tables and from shards, and what is said of those that are not right."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from adapters.training.order import Turn
from adapters.training.training_errors import DataError
from service.training.pair_examples import PairExamples
from service.training.text_pairs import Pair, digest, read_pairs
from tests.reading import READ


def encoded(colour: str, kind: str = "PNG") -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (20, 20), colour).save(content, kind)
    return content.getvalue()


def write_tar(path: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def colour_of(pair: Pair) -> object:
    return Image.open(io.BytesIO(pair.read())).convert("RGB").getpixel((5, 5))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for colour in ("red", "green", "blue"):
        (tmp_path / "images" / f"{colour}.png").write_bytes(encoded(colour))
    return tmp_path


def table(folder: Path, content: str) -> str:
    (folder / "pairs.csv").write_text(content, "utf-8")
    return str(folder / "pairs.csv")


@pytest.mark.parametrize(
    "content",
    [
        'image,text\nimages/red.png,"red, all over"\n\nimages/blue.png,blue\n',
        "title\tfilepath\nred, all over\timages/red.png\nblue\timages/blue.png\n",
        "\ufeffCaption;id;Path\nred, all over;1;images/red.png\nblue;2;images/blue.png\n",
    ],
    ids=["ours", "open_clip", "others"],
)
def test_a_table_is_read_by_its_header(folder: Path, content: str) -> None:
    pairs = read_pairs(table(folder, content))
    assert [pair.text for pair in pairs] == ["red, all over", "blue"]
    assert [colour_of(pair) for pair in pairs] == [(255, 0, 0), (0, 0, 255)]


def test_paths_of_a_table_may_begin_elsewhere(folder: Path) -> None:
    (folder / "tables").mkdir()
    name = table(folder / "tables", "image,text\nred.png,red\n")
    assert colour_of(read_pairs(name, folder / "images")[0]) == (255, 0, 0)
    with pytest.raises(DataError, match="there is no folder"):
        read_pairs(name, folder / "elsewhere")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "begins with nothing; it needs a header"),
        ("url,text\na,b\n", "begins with url, text; it needs a header with a column of images"),
        ("image,label\na,b\n", "one of texts"),
        ("image,text\n", "has a header and no pairs"),
        ("image,text\nimages/red.png,red\nimages/pink.png,pink\n", r"line 3: there is no image"),
        ("image,text\nimages/red.png, \n", "line 2 has no text"),
        ("image,text\nimages/red.png,red,all over\n", "line 2 has 3 columns and the header 2"),
        ("image,text\n" + "images/pink.png,pink\n" * 9, r"\(and 6 more rows\)"),
    ],
)
def test_a_wrong_table_is_refused_with_file_and_row(
    folder: Path, content: str, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_pairs(table(folder, content))
    assert "pairs.csv" in str(caught.value)


def test_a_table_in_another_encoding_is_refused(folder: Path) -> None:
    (folder / "pairs.csv").write_bytes("image,text\nimages/red.png,röt\n".encode("latin-1"))
    with pytest.raises(DataError, match="cannot be read as CSV in UTF-8"):
        read_pairs(str(folder / "pairs.csv"))
    with pytest.raises(DataError, match="there is no file"):
        read_pairs(str(folder / "absent.csv"))


def test_shards_are_read_at_random(tmp_path: Path) -> None:
    write_tar(
        tmp_path / "a-0.tar",
        {
            "0001.jpg": encoded("red", "JPEG"),
            "0001.txt": b"red\n",
            "0001.json": b"{}",
            "0002.txt": b"no image",
            "0003.webp": encoded("lime", "WEBP"),
            "0003.txt": "grün".encode(),
        },
    )
    write_tar(tmp_path / "a-1.tar", {"x/1.PNG": encoded("blue"), "x/1.txt": b"blue"})
    by_braces = read_pairs(f"{tmp_path}/a-{{0..1}}.tar")
    assert by_braces == read_pairs(f"{tmp_path}/a-*.tar")
    assert [pair.text for pair in by_braces] == ["red", "grün", "blue"]
    assert colour_of(by_braces[2]) == (0, 0, 255)
    assert colour_of(by_braces[1]) == (0, 255, 0)
    assert by_braces[1].image.endswith("a-0.tar:0003.webp")


def test_wrong_shards_are_refused(tmp_path: Path) -> None:
    write_tar(tmp_path / "empty.tar", {"a.jpg": encoded("red", "JPEG"), "b.txt": b"b"})
    (tmp_path / "text.tar").write_text("no tar")
    for name, message in {
        "{0..1}.tar": "there is no file .*0.tar",
        "*0.tar": "there is no file",
        "{0.tar": "braces go in pairs",
        "empty.tar": "holds no pairs",
        "text.tar": "cannot be read as an uncompressed tar",
    }.items():
        with pytest.raises(DataError, match=message):
            read_pairs(f"{tmp_path}/{name}")
    with pytest.raises(DataError, match="--images goes with a CSV"):
        read_pairs(f"{tmp_path}/empty.tar", tmp_path)


def test_the_digest_tells_data_apart(folder: Path) -> None:
    pairs = read_pairs(table(folder, "image,text\nimages/red.png,red\nimages/blue.png,blue\n"))
    assert digest(pairs) == digest(list(pairs)) != digest(pairs[::-1])


def mean_with_noise(image: Image.Image) -> tuple[Tensor, ...]:
    return (torch.tensor(image.resize((1, 1)).getpixel((0, 0))).float() + torch.rand(3),)


def lengths(texts: object) -> Tensor:
    """As the tokenizer of `lite`, which cuts off common padding."""
    assert isinstance(texts, list)
    longest = min(8, max(len(text) for text in texts))
    return torch.tensor([[*map(ord, text[:8].ljust(longest, "\0"))] for text in texts])


def test_a_broken_image_is_replaced_and_counted(folder: Path) -> None:
    pairs = read_pairs(
        table(folder, "image,text\n" + "".join(f"images/{c}.png,{c}\n" for c in ("red", "blue")))
    )
    (folder / "images" / "red.png").write_bytes(encoded("red")[:40])
    examples = PairExamples(pairs, mean_with_noise, lengths, read=READ, seed=0)
    assert len(examples) == 2
    pixels, tokens = examples[Turn(0, 0)]
    assert pixels.round().tolist()[2] >= 255
    assert bytes(tokens.tolist()) == b"blue\0\0\0\0"
    assert examples.broken == [str(folder / "images" / "red.png")]
    (folder / "images" / "blue.png").unlink()
    with pytest.raises(DataError, match="one after the other cannot be read"):
        examples[Turn(0, 0)]


def test_seed_epoch_and_number_decide_an_example(folder: Path) -> None:
    pairs = read_pairs(table(folder, "image,text\nimages/red.png,red\nimages/red.png,red\n"))
    first = PairExamples(pairs, mean_with_noise, lengths, read=READ, seed=0)
    before = torch.get_rng_state()
    drawn = first[Turn(0, 0)][0]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(drawn, first[Turn(0, 0)][0])
    others = [first[Turn(1, 0)], first[Turn(0, 1)]]
    others.append(PairExamples(pairs, mean_with_noise, lengths, read=READ, seed=1)[Turn(0, 0)])
    assert not any(torch.equal(drawn, other[0]) for other in others)
