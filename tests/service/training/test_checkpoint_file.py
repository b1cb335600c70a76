"""The checkpoint of a run on disk: replaced whole, refused where it is not one."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from adapters.training.training_errors import CheckpointError
from service.training.checkpoint_file import CheckpointFile


@pytest.fixture
def checkpoint(tmp_path: Path) -> CheckpointFile:
    return CheckpointFile(tmp_path / "run" / "checkpoint.pt")


def test_a_state_is_read_as_it_was_written(checkpoint: CheckpointFile) -> None:
    assert checkpoint.read() is None
    checkpoint.write({"objective": {"weight": torch.arange(3.0)}, "losses": [2.0, 1.0]})
    state = checkpoint.read()
    assert state is not None
    assert torch.equal(state["objective"]["weight"], torch.arange(3.0))
    assert state["losses"] == [2.0, 1.0]
    checkpoint.remove()
    checkpoint.remove()
    assert checkpoint.read() is None


def test_a_damaged_state_is_refused(checkpoint: CheckpointFile) -> None:
    checkpoint.write({"weight": torch.zeros(1000)})
    content = checkpoint.path.read_bytes()
    for damaged in (b"", content[:1000], b"no state at all", content[:-100]):
        checkpoint.path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="delete it to begin anew"):
            checkpoint.read()
    torch.save([1, 2], checkpoint.path)
    with pytest.raises(CheckpointError, match="is no state of a run"):
        checkpoint.read()


class Exploit:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.trace,))


def test_a_state_with_code_is_refused_unread(tmp_path: Path) -> None:
    checkpoint, trace = CheckpointFile(tmp_path / "checkpoint.pt"), tmp_path / "trace"
    torch.save({"objective": Exploit(trace)}, checkpoint.path)
    with pytest.raises(CheckpointError, match="delete it"):
        checkpoint.read()
    checkpoint.path.write_bytes(pickle.dumps({"objective": Exploit(trace)}))
    with pytest.raises(CheckpointError, match="delete it"):
        checkpoint.read()
    assert not trace.exists()


def test_a_state_is_replaced_whole(
    checkpoint: CheckpointFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.write({"number": 1})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.write({"number": 2})
    assert checkpoint.read() == {"number": 1}
