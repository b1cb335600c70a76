"""An encoder in a process of its own, which several processes of the service share."""
