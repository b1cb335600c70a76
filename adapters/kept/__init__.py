"""Kept models: all that a start needs of a backbone, compiled, on the disk."""

from adapters.kept.load import load_compiled

__all__ = ["load_compiled"]
