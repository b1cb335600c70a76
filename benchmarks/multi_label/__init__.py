"""Several labels an image, measured on mosaics: made-up images that show several things."""
