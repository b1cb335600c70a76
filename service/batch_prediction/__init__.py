"""Batch prediction: all images of a folder, into a table that is gone on with where it stopped."""
