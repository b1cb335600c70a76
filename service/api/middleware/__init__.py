"""ASGI middleware: what a request passes before a route sees it."""
