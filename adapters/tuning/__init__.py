"""Settings chosen by the support images themselves, without a validation set."""
