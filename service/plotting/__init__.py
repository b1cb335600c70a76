"""What all pictures that matplotlib draws share: text in any script."""
