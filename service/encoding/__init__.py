"""From pictures and texts to embeddings: a fair queue, micro-batches, and their limits."""
