"""Thumbnails beside queries: what each waits for the other, and what a warm one costs.

    python -m benchmarks.thumbnails

A service with `--images` photographs of several sizes (mosaics of real ones) is asked for single
queries, one after the other: alone, while all thumbnails are asked for by six connections, as a
browser does, for the first time, and again when they are kept. Prints the median and the 99th
percentile of queries and thumbnails, thumbnails a second, and the processor time of the service
for a warm thumbnail when nobody asks anything else. `--register` measures pages of a class of so
many images, the conditional GET of the classifier and the map instead.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import numpy as np

from benchmarks.load import Service
from benchmarks.load.process import processor_seconds
from benchmarks.photographs import encoded, mosaic, queries
from benchmarks.servers import CLASSIFIER, PREDICT, handful

# Of a phone, of a camera made smaller, of the web.
_SIZES = ((4000, 3000), (1600, 1200), (800, 600), (640, 480))
_CONNECTIONS = 6
