"""Where requests that last find out that their process is told to end."""

ENDING = "handful_ending"
"""Key of an ``asyncio.Event`` in the state of the lifespan; the server's connections set it."""
