"""Moves a database from one recipe of its backbone to another, while the service runs."""
