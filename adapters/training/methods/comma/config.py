"""What a run of prompts is configured by."""

from __future__ import annotations

from adapters.training.loop import LoopSettings

# The authors' settings for 16 shots, but for the optimiser: theirs is SGD with 0.0035.
DEFAULTS = LoopSettings(
    epochs=5, batch=4, learning_rate=1e-3, weight_decay=5e-4, warmup=0.2, precision="no"
)
