"""What a classifier's own images say of it: as values, as a page, as a picture."""
