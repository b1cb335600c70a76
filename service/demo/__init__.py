"""A person's first five minutes: a service, real images, answers."""
