"""Files that somebody made to do harm, or that broke: a clear error, and nothing else."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from adapters.backbones import BackboneError, UnsafeWeights, WeightsUnavailable
from adapters.backbones.checkpoints import tensor_pickle
from adapters.backbones.checkpoints.recognise import recognised_folder
from adapters.backbones.checkpoints.state_dict import read_checkpoint
from adapters.backbones.checkpoints.tensor_pickle import read_pickle

LONG = struct.pack("<I", 2**31 - 1)


class Call:
    """Pickled as a call."""

    def __init__(self, called: Callable[..., Any], *arguments: Any) -> None:
        self.called, self.arguments = called, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.called, self.arguments


def archive(path: Path, content: bytes, numbers: bytes = b"\0" * 64, **options: Any) -> Path:
    """A zip as ``torch.save`` writes it, with any pickle."""
    with zipfile.ZipFile(path, "w", **options) as file:
        file.writestr("a/data.pkl", content)
        file.writestr("a/data/0", numbers)
        file.writestr("a/version", "3")
    return path


def tensor(
    shape: tuple[Any, ...], stride: tuple[Any, ...], offset: int = 0, numel: int = 16
) -> bytes:
    """A pickle of a state dict with one tensor over a storage of 16 numbers."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            return ("storage", torch.FloatStorage, "0", "cpu", numel) if value is STORAGE else None

    file = io.BytesIO()
    rebuilt = Call(
        torch._utils._rebuild_tensor_v2, STORAGE, offset, shape, stride, False, OrderedDict()
    )
    Pickler(file, protocol=2).dump({"w": rebuilt})
    return file.getvalue()


STORAGE = object()


def test_a_tensor_of_a_pickle_by_hand_is_read(tmp_path: Path) -> None:
    numbers = torch.arange(16.0).numpy().tobytes()
    path = archive(tmp_path / "a.pt", tensor((2, 3), (3, 1), 4), numbers)
    assert read_checkpoint(path).state["w"].tolist() == [[4, 5, 6], [7, 8, 9]]


@pytest.mark.parametrize(
    "value",
    [
        Call(os.system, "touch trace"),
        Call(eval, "open('trace', 'w')"),
        Call(torch.load, "trace"),
        Call(torch.hub.load, "a", "b"),
        Call(torch._utils._rebuild_tensor_v2, Call(Path, "trace"), 0, (1,), (1,), False, None),
        {"state_dict": Call(Path.touch, Path("trace"))},
        io.BytesIO(b"an object"),
        Path("trace"),
        {"w": b"bytes"},
    ],
)
def test_what_would_be_called_is_not(
    value: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = archive(tmp_path / "a.pt", pickle.dumps(value, protocol=2))
    with pytest.raises(UnsafeWeights, match=r"without executing code .*safetensors"):
        read_checkpoint(path)
    bare = tmp_path / "bare.pt"
    bare.write_bytes(pickle.dumps(value, protocol=2))
    with pytest.raises(UnsafeWeights, match="safetensors"):
        read_checkpoint(bare)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x02cos\nsystem\n.", "names os.system"),
        (b"\x80\x02ctorch\nload\n(X\x01\x00\x00\x00atR.", "would call torch.load"),
        (b"\x80\x02(ctorch\nload\nX\x01\x00\x00\x00ao.", "instruction OBJ"),
        (b"(ios\nsystem\n.", "instruction INST"),
        (b"\x80\x02X\x01\x00\x00\x00aQ.", "no storage"),
        (b"Pstorage\n.", "instruction PERSID"),
        (b"\x80\x02\x82\x01.", "instruction EXT1"),
        (b"\x80\x02ccollections\nOrderedDict\n}b.", "set attributes"),
        (b"\x80\x02ctorch\nFloatStorage\n)\x81.", "make an object of torch.FloatStorage"),
        (b"\x80\x02c__torch__.a\nB\n(K\x01t\x81.", "make an object"),
        (b"\x80\x02\x8b" + LONG + b".", "damaged"),
        (b"\x80\x02X" + LONG + b".", "damaged"),
        (b"\x80\x02t.", "damaged"),
        (b"\x80\x02(.", "damaged"),
        (b"\x80\x02h\x05.", "damaged"),
        (b"\x80\x02}]K\x01s.", "neither text nor number"),
        (b"\x80\x02K\x01K\x02a.", "no list"),
        (b"\x80\x02}", "damaged|no end"),
        (b"\x80\x02" + b"0" * 5 + b".", "instruction POP"),
        (b"", "damaged|no end"),
    ],
)
def test_instructions_that_no_model_needs_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(BackboneError, match=message):
        read_pickle(content)


def test_more_instructions_than_any_model_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_pickle, "_MOST_INSTRUCTIONS", 1000)
    with pytest.raises(BackboneError, match="more instructions"):
        read_pickle(b"\x80\x02" + b"]" * 2000 + b".")


@pytest.mark.parametrize(
    "content",
    [
        tensor((2**30, 2**30), (0, 0)),  # one number, shown 2⁶⁰ times
        tensor((17,), (1,)),
        tensor((4, 4), (5, 1)),
        tensor((1,), (1,), offset=16),
        tensor((1,), (1,), offset=-1),
        tensor((4,), (-1,), offset=8),
        tensor((-1,), (1,)),
        tensor((2, 2), (1,)),
        tensor((True,), (1,)),
        tensor((1.5,), (1,)),
        tensor((1,) * 20, (1,) * 20),
        tensor((2**62,), (1,), numel=2**62),
        tensor((17,), (1,), numel=17),  # more than the member has
        tensor((4,), (1,), numel=4),
    ],
)
def test_a_tensor_outside_its_storage_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="cannot be read"):
        read_checkpoint(archive(tmp_path / "a.pt", content))


def test_many_tensors_over_one_storage_are_refused(tmp_path: Path) -> None:
    numbers = torch.zeros(1000)
    torch.save({f"w{n}": numbers.view(10, 100) for n in range(100)}, tmp_path / "a.pt")
    with pytest.raises(BackboneError, match="more numbers than it has"):
        read_checkpoint(tmp_path / "a.pt")


def test_what_is_compressed_is_not_inflated(tmp_path: Path) -> None:
    bomb = tensor((2**20,), (1,), numel=2**20)
    path = archive(tmp_path / "a.pt", bomb, bytes(2**22), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(BackboneError, match="compressed or encrypted"):
        read_checkpoint(path)


def test_members_of_the_same_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/data.pkl", tensor((1,), (1,)))
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("a/data.pkl", b"}.")
    with pytest.raises(BackboneError, match="two members"):
        read_checkpoint(path)


def test_damaged_numbers_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.pt", tensor((16,), (1,)), b"0123456789abcdef" * 4)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"0123456789abcdef", b"0123456789abcdeF", 1))
    with pytest.raises(BackboneError, match="CRC"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "neither safetensors nor of PyTorch"),
        (b"PK\x03\x04", "without an end"),
        (b"PK\x03\x04" + b"PK\x05\x06" + b"\xff" * 18, "more members"),
        (b"<html>404</html>", "neither safetensors"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "git lfs pull"),
        (struct.pack("<Q", 2**40) + b"{}", "header is longer"),
        (struct.pack("<Q", 2) + b"{}", "no tensors"),
        (struct.pack("<Q", 9) + b'{"a": {}}', "damaged"),
        (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", "damaged|no end"),
    ],
)
def test_what_is_no_checkpoint_is_said_to_be_none(
    content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(BackboneError, match=message):
        read_checkpoint(tmp_path / "a.pt")


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.pt")
    for path in (tmp_path / "a.pt", Path("/dev/zero"), tmp_path):
        with pytest.raises(BackboneError, match="is no file"):
            read_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[" * 100_000, "no JSON"),
        ("[]", "no JSON object"),
        ("{", "no JSON"),
        ('{"model_type": "clip", "x": "' + "x" * 5_000_000 + '"}', "larger than a configuration"),
        ('{"model_type": "clip", "text_config": 7}', "no weights|describe"),
    ],
)
@pytest.mark.parametrize("name", ["config.json", "open_clip_config.json"])
def test_json_that_is_no_configuration_is_refused(
    name: str, content: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(BackboneError, match=f"{message}|has no model_cfg"):
        recognised_folder(tmp_path)


def test_links_to_what_is_no_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    (tmp_path / "model.safetensors").symlink_to("/dev/zero")
    with pytest.raises(WeightsUnavailable, match="no weights"):
        recognised_folder(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Small files of each kind."""
    folder = tmp_path_factory.mktemp("whole")
    state = {"a.weight": torch.ones(4, 3), "b": torch.arange(5)}
    torch.save(state, folder / "zip.pt")
    torch.save(state, folder / "legacy.pt", _use_new_zipfile_serialization=False)
    save_file(state, folder / "a.safetensors")
    scripted = torch.jit.script(torch.nn.Linear(2, 2))
    torch.jit.save(scripted, str(folder / "script.pt"))
    return [path.read_bytes() for path in sorted(folder.iterdir())]


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_broken_files_give_their_tensors_or_an_error(
    data: st.DataObject, whole: list[bytes], tmp_path: Path
) -> None:
    content = bytearray(data.draw(st.sampled_from(whole)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        change = data.draw(st.sampled_from(["set", "cut", "insert", "repeat"]))
        if change == "set":
            content[at] = data.draw(st.integers(0, 255))
        elif change == "cut":
            del content[at : at + data.draw(st.integers(1, 200))]
        elif change == "insert":
            content[at:at] = data.draw(st.binary(min_size=1, max_size=8))
        else:
            content[at:at] = content[at : at + 100]
        content = content or bytearray(b"\0")
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    try:
        found = read_checkpoint(path).state
    except BackboneError:
        return
    assert sum(each.nbytes for each in found.values()) <= len(content)


_CODES = b"\x80\x82\x85\x86\x87\x88\x89\x8a\x8c\x93\x94()0Q]abcehjloqrstu}.NKJMXRFGBCV"


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(st.sampled_from([bytes([each]) for each in _CODES]), st.binary(max_size=6)),
        max_size=40,
    )
)
@example([b"\x80\x02", b"ctorch._utils\n_rebuild_tensor_v2\n", b")", b"R", b"."])
def test_no_sequence_of_instructions_does_anything_else(codes: list[bytes]) -> None:
    try:
        value, _ = read_pickle(b"".join(codes))
    except BackboneError:
        return
    json.dumps(repr(value))
