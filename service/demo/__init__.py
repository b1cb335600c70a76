"""Demo of the service for a person's first five minutes: real images, predictions, evidence."""
