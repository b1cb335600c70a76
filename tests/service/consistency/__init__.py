"""The checker of the campaign of faults, and short cuts of it."""
