"""The generator in a process of its own, so that it shares no lock with what measures."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

from benchmarks.load.plan import Plan, Report

ROOT = Path(__file__).parents[2]


class LoadFailed(RuntimeError):
    """The generator ended without a report; the message holds what it said."""


def load(plan: Plan) -> Report:
    """Make the load of a plan and wait for its report.

    Raises:
        LoadFailed: The server takes no connections, or its answers are not understood.
    """
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=pickle.dumps(plan),
        capture_output=True,
        cwd=ROOT,
        check=False,
    )
    if ended.returncode:
        raise LoadFailed(ended.stderr.decode(errors="replace")[-2000:])
    report = pickle.loads(ended.stdout)
    assert isinstance(report, Report)
    return report
