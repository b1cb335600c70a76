"""Training runs: data in, one loop, what comes out of it. What is learned is elsewhere."""
