"""What `lite` is called and what is kept of it in the package."""

from __future__ import annotations

from pathlib import Path

LITE = "lite"
"""Its name."""
LITE_FOLDER = Path(__file__).parent
"""Where its projections and its adapter are kept, in the package."""
ADAPTER = LITE_FOLDER / "adapter.safetensors"
"""The adapter that `lite` corrects intra-modal overlap with; docs/lite.md tells how it was made."""
TEMPLATES = ("a photo of a {}.",)
"""Prompt templates that suit `lite`, chosen on generic images alone."""
