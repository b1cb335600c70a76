"""What can go wrong in a training run."""


class TrainingError(RuntimeError):
    """A run cannot begin or go on; the message says why and what mends it."""


class CheckpointError(TrainingError):
    """A state on the disk cannot be resumed from; the message says what mends it."""


class DataError(TrainingError):
    """Training data are not as needed; the message says which and what mends it."""
