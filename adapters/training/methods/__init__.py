"""The methods, one folder each: what is learned, and the loss that it is learned by."""
