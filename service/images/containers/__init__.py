"""What image files are made of, read before any decoder sees them.

A container holds pixels and metadata. Decoders trust both: text chunks, tags and profiles are
unpacked, counted and kept, whatever they cost, and a damaged one spoils the picture. Here each
file is reduced to what its pixels need. What else counts (which way is up, the colour profile)
is read by itself, within bounds, and ignored where it is damaged.

Pure functions of bytes; they import neither decoders nor the service.
"""
