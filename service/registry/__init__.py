"""Classifiers in memory, and their changes."""
