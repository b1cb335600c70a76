"""Checkpoints of each layout, which the real libraries have written."""
