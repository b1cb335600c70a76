"""What must survive: classifiers, classes, support images and their embeddings."""
