"""Short cuts of the campaign of damage."""
