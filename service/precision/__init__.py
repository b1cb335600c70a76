"""Precision of the image tower: which one a database has, and which is worth it on a machine."""
