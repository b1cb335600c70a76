"""What can go wrong with the database, beside the problems that clients are told."""

from __future__ import annotations


class StorageError(RuntimeError):
    """The database cannot be used; the message says why."""


class InUse(StorageError):
    """Another process has the database to itself."""


class Outdated(RuntimeError):
    """Another process was quicker: what a change began with is not the latest state."""


class Damaged(ValueError):
    """A row holds what no version of Handful writes; the message says what."""
