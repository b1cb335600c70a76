"""Thumbnails: pictures of a classifier made small, kept on the disk as long as they are there."""
