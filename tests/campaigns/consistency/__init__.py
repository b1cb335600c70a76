"""A campaign of faults, and the checker of what clients have seen meanwhile."""
