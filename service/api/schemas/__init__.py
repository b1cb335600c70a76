"""The JSON of the API: what clients send and get, with the examples of the documentation."""
