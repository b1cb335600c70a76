"""Coverage-guided fuzzing of what parses hostile bytes in Python."""
