"""Read a plan from standard input, write its report to standard output; see `process.load`."""

from __future__ import annotations

import pickle
import sys

import uvloop

from benchmarks.load.generator import generate

if __name__ == "__main__":
    plan = pickle.load(sys.stdin.buffer)
    sys.stdout.buffer.write(pickle.dumps(uvloop.run(generate(plan))))
