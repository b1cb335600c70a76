"""Several labels an image: each class with a probability and a threshold of its own."""

from adapters.multi_label.classifier import MultiLabelClassifier
from adapters.multi_label.left_out import LeftOutImages

__all__ = ["LeftOutImages", "MultiLabelClassifier"]
