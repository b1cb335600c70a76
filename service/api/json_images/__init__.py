"""Images in JSON: read, received, embedded; asked about."""
