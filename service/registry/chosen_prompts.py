"""Trained prompts that a classifier chooses, as the registry sees them."""

from __future__ import annotations

from typing import Protocol

from service.problems import PromptsNotFound


class Prompts(Protocol):
    """Trained prompts of all tenants, by their names."""

    def fingerprint(self, tenant: str, name: str) -> str:
        """What is embedded with them comes from, which this process can embed then. Blocks.

        Raises:
            PromptsNotFound: The tenant has none of that name.
            InvalidPrompts: They cannot be used with the backbone of this service.
        """
        ...


class NoPrompts:
    """Where there are none: whatever is asked for is not found."""

    def fingerprint(self, tenant: str, name: str) -> str:
        """Raises PromptsNotFound."""
        del tenant
        raise PromptsNotFound(name)


NO_PROMPTS = NoPrompts()
