"""What can go wrong when a backbone is loaded."""


class BackboneError(RuntimeError):
    """A backbone cannot be used as asked; the message says how to mend it."""


class WeightsUnavailable(BackboneError):
    """Weights are missing, out of reach or not the ones expected."""


class UnsafeWeights(BackboneError):
    """A checkpoint could only be read by executing what is pickled in it."""


class NoInsertionPointError(BackboneError):
    """The image tower has no blocks that an adapter can be attached to."""


class NoLinearProjectionError(BackboneError):
    """A tower does not end in a matrix, which a correction is computed of."""


class PromptError(BackboneError):
    """Prompts cannot be learned for, or used with, this backbone; the message mends it."""
