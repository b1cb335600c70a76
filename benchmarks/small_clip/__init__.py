"""The methods that train, proved end to end on a CLIP that is small enough to train here."""
