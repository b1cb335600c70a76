"""Inbox: queries that a classifier remembers with their answers, for people to judge."""
