"""Suggestions: which images to register next.

For the API and the command line alike; images are chosen by :mod:`adapters.herding`.
"""
