"""A disk and a clock with faults, below a program that runs: power cuts, full, slow and failing.

Below a program, not in it: what a library acknowledges without flushing it is found as well.
"""
