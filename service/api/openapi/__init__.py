"""The OpenAPI document, beyond what FastAPI says by itself."""
