"""Jobs: long work that outlives the request that asks for it, and the process that does it."""
