"""Pictures that are drawn by a programme: classes to be told apart, without any file."""

from adapters.synthetic_pictures.pictures import picture, pictures
from adapters.synthetic_pictures.subjects import SIDE, SUBJECTS

__all__ = ["SIDE", "SUBJECTS", "picture", "pictures"]
