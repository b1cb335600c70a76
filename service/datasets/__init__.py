"""Labelled data sets on disk, and the features of their images.

What evaluation, diagnosis and training read alike. Classes are told by ``service.class_folders``
and pixels decoded by ``service.images``, as the service does both for uploads.
"""
