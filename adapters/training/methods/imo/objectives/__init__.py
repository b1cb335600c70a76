"""The objectives of adapter training, one module each; `RECIPES` has their settings."""
