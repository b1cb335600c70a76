"""Load over HTTP, made in a process of its own that takes little of the server's processor."""

from benchmarks.load.plan import Plan, Report, Request, percentile
from benchmarks.load.process import load
from benchmarks.load.service import NotStarted, Service, running

__all__ = [
    "NotStarted",
    "Plan",
    "Report",
    "Request",
    "Service",
    "load",
    "percentile",
    "running",
]
