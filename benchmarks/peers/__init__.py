"""Servers that others made, to be measured beside Handful with a model of the same shape."""
