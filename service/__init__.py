"""The product around the science: HTTP, storage, command line."""
