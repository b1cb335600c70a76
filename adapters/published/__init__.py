"""Heads as their authors evaluate them: plain equations, settings searched on a validation set.

For figures that can be put beside published ones (docs/reproduce.md). What serves is
``adapters.heads``: it is tuned by leave-one-out, needs no validation set, and answers a query
whatever else is asked.
"""

from adapters.published.block import Block
from adapters.published.heads import PUBLISHED_HEADS, PublishedHead
from adapters.published.validation_search import PUBLISHED_GRID, Found, Grid, Setting, search

__all__ = [
    "PUBLISHED_GRID",
    "PUBLISHED_HEADS",
    "Block",
    "Found",
    "Grid",
    "PublishedHead",
    "Setting",
    "search",
]
