"""What a run leaves in its folder, and what a folder tells of its run."""

from __future__ import annotations

import json
from pathlib import Path

from service.training.run_folder import CHECKPOINT_NAME, state_of, write_losses, write_record


def test_a_run_leaves_its_record_and_its_losses(tmp_path: Path) -> None:
    record = {"objective": "line", "steps": 3}
    write_record(tmp_path, record)
    write_losses(tmp_path, [3.0, 2.0, 1.0])
    assert json.loads((tmp_path / "training.json").read_text()) == record
    table = (tmp_path / "losses.csv").read_text().split()
    assert table == ["step,loss", "1,3.0", "2,2.0", "3,1.0"]
    assert (tmp_path / "losses.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_tells_whether_its_run_is_finished(tmp_path: Path) -> None:
    assert state_of(tmp_path) is None
    write_record(tmp_path, {})
    assert state_of(tmp_path) == "finished"
    (tmp_path / CHECKPOINT_NAME).touch()
    assert state_of(tmp_path) == "running"
