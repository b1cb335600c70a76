"""What can go wrong with learned prompts."""

from __future__ import annotations

from adapters.backbones.errors import BackboneError


class PromptError(BackboneError):
    """Prompts cannot be learned for, or used with, this backbone; the message mends it."""
