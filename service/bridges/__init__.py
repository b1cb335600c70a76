"""Bridges: processes that carry answers of a running service into systems that ask for none."""
