"""The studio's files as they were built from ``studio/``, and how they are read."""
