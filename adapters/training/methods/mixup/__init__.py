"""Geodesic multi-modal mixup: hard negatives on the sphere (Oh et al., NeurIPS 2023)."""
