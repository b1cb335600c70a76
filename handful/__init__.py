"""Few-shot image classification in Python: a few images a class, nothing trained, no service.

>>> import handful
>>> backbone = handful.load_backbone()
>>> pets = handful.Classifier(backbone).fit_folder("pets")
>>> pets.predict(["query.jpg"])
['cat']

What is named here is stable: it changes only with a new minor version and a line in CHANGELOG.md.
"""

from importlib.metadata import version

from adapters.backbones import Backbone, BackboneError
from handful.backbone import load_backbone
from handful.classifier import Classifier, NotFittedError
from handful.pictures import Image, ImageError
from handful.prediction import Evidence, Prediction, Suggestion
from handful.saved import SavedClassifierError
from service.class_folders import ClassFolderError
from service.classifier_settings import ClassifierSettings

__version__ = version("handful")

__all__ = [
    "Backbone",
    "BackboneError",
    "ClassFolderError",
    "Classifier",
    "ClassifierSettings",
    "Evidence",
    "Image",
    "ImageError",
    "NotFittedError",
    "Prediction",
    "SavedClassifierError",
    "Suggestion",
    "__version__",
    "load_backbone",
]
