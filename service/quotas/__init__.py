"""Quotas: rate limits of requests, counted in one process or in all of a machine."""
