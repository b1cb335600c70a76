"""The service as an application of Ray Serve: ingress replicas before encoder replicas."""
