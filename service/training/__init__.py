"""Training images, from where they lie to what a run takes."""
