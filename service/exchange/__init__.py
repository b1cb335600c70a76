"""A classifier as one file: a zip of JSON, tensors and, where asked for, images; no pickle.

The service, its commands and the Python API write and read the same format (docs/export.md).
"""

from service.exchange.contents import (
    ClassifierFile,
    ExportedClass,
    ExportedClassifier,
    ExportedImage,
    Source,
    TuningState,
)
from service.exchange.reading import MOST_IMAGES, ReadLimits, read_classifier
from service.exchange.writing import file_pieces, no_content, write_file

__all__ = [
    "MOST_IMAGES",
    "ClassifierFile",
    "ExportedClass",
    "ExportedClassifier",
    "ExportedImage",
    "ReadLimits",
    "Source",
    "TuningState",
    "file_pieces",
    "no_content",
    "read_classifier",
    "write_file",
]
