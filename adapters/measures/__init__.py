"""What can be measured of a support set and of the answers about it."""
