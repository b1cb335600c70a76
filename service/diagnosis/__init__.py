"""What embeddings of labelled images are like, before and after the correction, to look at."""
