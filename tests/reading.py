"""What training reads images with in tests: what the commands read them with."""

from __future__ import annotations

from service.images.decoding import training_reader

READ = training_reader(10**7)
