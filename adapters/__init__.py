"""The science of Handful: encoders, the key-value cache and training-free heads.

Tensors in, tensors out. Nothing here knows of HTTP or of a database.
"""
