"""Supply chain: what is installed, by which hashes, and what is known against it."""
