"""Authentication: from what a request brings to who it is from."""
