"""What becomes of a service that is asked for too much, and of one that runs for hours."""
