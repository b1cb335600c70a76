"""Training runs: data from files, the runner of all methods, what a run leaves."""
