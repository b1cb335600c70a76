"""The asynchronous client. ``_sync`` is made of these modules by ``make client``."""
