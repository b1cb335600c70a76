"""`lite`: how its projections are trained; docs/lite.md."""
