"""What one would otherwise write around open_clip, to be measured beside Handful."""
