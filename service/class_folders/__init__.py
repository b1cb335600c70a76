"""Which label each file has: one reader for zips, forms and folders on disk."""

from service.class_folders.levels import AmbiguousFolders
from service.class_folders.reader import ClassFolderError, ClassFolders, read_class_folders

__all__ = ["AmbiguousFolders", "ClassFolderError", "ClassFolders", "read_class_folders"]
