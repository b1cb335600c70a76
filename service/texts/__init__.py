"""From class names to text embeddings."""
