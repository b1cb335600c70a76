"""Handful as scikit-learn estimators: on images, and on the embeddings of images.

>>> from handful.sklearn import HandfulClassifier
>>> pets = HandfulClassifier().fit(["1.jpg", "2.jpg"], ["cat", "dog"])
>>> pets.predict(["query.jpg"])
array(['cat'], dtype='<U3')

Needs the extra ``handful[sklearn]``; ``import handful`` alone does not import scikit-learn.
"""

from handful.sklearn.classifier import HandfulClassifier
from handful.sklearn.embedder import HandfulEmbedder
from handful.sklearn.head import HandfulHead

__all__ = ["HandfulClassifier", "HandfulEmbedder", "HandfulHead"]
