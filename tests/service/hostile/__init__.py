"""Hostile input: short cuts of the campaigns, and whether they find what they are to find."""
