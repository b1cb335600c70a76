"""Trained prompts that a classifier chooses, as the registry sees them."""

from __future__ import annotations

from typing import Protocol

from service.problems import InvalidSettings


class Prompts(Protocol):
    """Trained prompts of all tenants, by their names."""

    def fingerprint(self, tenant: str, name: str) -> str:
        """What is embedded with them comes from, which this process can embed then. Blocks.

        Raises:
            PromptsNotFound: The tenant has none of that name.
            InvalidSettings: They cannot be used with the backbone of this service.
        """
        ...


class NoPrompts:
    """Where none can be used, as by commands."""

    def fingerprint(self, tenant: str, name: str) -> str:
        """Raises InvalidSettings."""
        del tenant
        raise InvalidSettings(
            f"prompts: a running service alone embeds with prompts of a classifier ({name!r}). Do"
            " this by its API."
        )


NO_PROMPTS = NoPrompts()
