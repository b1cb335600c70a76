"""The version of the client, which is that of the service whose document its models are of."""

__version__ = "0.2.0"
