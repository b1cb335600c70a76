"""From uploaded bytes to embeddings."""
