"""What a perfect implementation would reach on this machine, what Handful does, what others do."""
