"""The search for the adapter of `lite`, on generic images alone; `__main__` tells how."""
