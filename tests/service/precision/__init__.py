"""Tests of precision."""
