"""Hostile requests, very many of them, against a real service: what it may never do."""
