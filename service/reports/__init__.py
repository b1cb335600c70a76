"""Classification report on a classifier by leave-one-out: as values, as a page, as a picture.

What a support set says of itself, each image classified by the others. ``service.diagnosis``
measures both embeddings of a labelled folder instead, and ``service.evaluation`` accuracy on test
images that no classifier has seen.
"""
