"""A whole database: to another one, to a backup, and back; equal cell by cell, by digests."""
