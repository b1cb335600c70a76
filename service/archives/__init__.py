"""Zip archives of images, within limits and with the names that their sender sees."""

from service.archives.archive import Unpacked, open_archive

__all__ = ["Unpacked", "open_archive"]
