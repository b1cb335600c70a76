"""A file of predictions that was cut anywhere is gone on with as if it had not been."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.batch_prediction.prediction_file import (
    COLUMNS,
    PredictionFile,
    PredictionFileError,
    PredictionRow,
)

NAMES = st.text(st.sampled_from('ab",\n\r\\;é森\udce9 /='), min_size=1, max_size=12)
ROWS = st.builds(
    PredictionRow,
    file=NAMES,
    classifier=st.just("t"),
    label=st.none() | NAMES.filter(str.isprintable),
    probability=st.none() | st.floats(0, 1),
    known=st.none() | st.booleans(),
    error=st.none() | st.just('it is, "they say",\nbroken'),
)


def write(path: Path, rows: Sequence[PredictionRow]) -> None:
    with PredictionFile(path, "t") as file:
        for row in rows:
            if row.file not in file.done:
                file.add(row)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@settings(max_examples=80, deadline=None)
@given(st.lists(ROWS, max_size=6, unique_by=lambda row: row.file), st.data())
def test_what_was_cut_anywhere_ends_as_what_was_not(
    suffix: str, rows: list[PredictionRow], data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"out{suffix}"
        write(path, rows)
        whole = path.read_bytes()
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
        write(path, rows)
        assert path.read_bytes() == whole
        with PredictionFile(path, "t") as file:
            assert file.done == {row.file for row in rows}
            assert file.failed == sum(row.error is not None for row in rows)
        if suffix == ".csv":
            with path.open(newline="", errors="surrogateescape") as table:
                read = list(csv.DictReader(table))
            assert [one["file"] for one in read] == [row.file for row in rows]
        else:
            found = [json.loads(line) for line in whole.splitlines()]
            assert [one["file"] for one in found] == [row.file for row in rows]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", b"name,label\na,b\n", "no file that handful predict wrote"),
        ("a.csv", ",".join(COLUMNS).encode() + b"\na,b\n", "no file that handful predict wrote"),
        ("a.jsonl", b"[1]\n", "no file that handful predict wrote"),
        ("a.jsonl", b'{"file": 1}\n', "no file that handful predict wrote"),
        ("a.jsonl", b'{"file": "a", "classifier": "other", "error": null}\n', "of other, and not"),
    ],
)
def test_other_files_are_refused_and_left_as_they_are(
    tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(PredictionFileError, match=told):
        PredictionFile(path, "t")
    assert path.read_bytes() == content


def test_two_commands_do_not_write_one_file(tmp_path: Path) -> None:
    with (
        PredictionFile(tmp_path / "a.csv", "t"),
        pytest.raises(PredictionFileError, match="another command"),
    ):
        PredictionFile(tmp_path / "a.csv", "t")
