"""Golden answers: what a version answers, kept, and compared with what another one answers."""
