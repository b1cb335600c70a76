"""Training: one loop, the protocol of all methods (build, step, export), and the methods."""
