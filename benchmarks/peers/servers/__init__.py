"""Each a peer's server of one CLIP image tower, run by the Python of the peer's environment."""
