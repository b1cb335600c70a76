"""``python -m service.cli`` is ``handful``."""

from service.cli import app

app()
