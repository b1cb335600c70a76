"""Plots by matplotlib, as far as reports, diagnosis and evaluation share them.

Text in any script, and similarity histograms.
"""
