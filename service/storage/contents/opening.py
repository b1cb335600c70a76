"""Opening object stores by their locations."""

from __future__ import annotations

from service.settings.image_location import folder_of
from service.storage.contents.folder import Folder
from service.storage.contents.object_store import ObjectStore
from service.storage.errors import StorageError


def open_store(location: str, seconds: float) -> ObjectStore:
    """Open the store at a location; asks nothing of it yet.

    Args:
        location: As :func:`service.settings.image_location.checked_location` returns it.
        seconds: Longest wait for one object.

    Raises:
        StorageError: It cannot be opened, or what opens it is not installed.
    """
    if (folder := folder_of(location)) is not None:
        return Folder(folder)
    try:
        from service.storage.contents.bucket import Bucket
    except ImportError as error:
        raise StorageError(
            f"images in {location} need handful[buckets]: pip install 'handful[buckets]' ({error})"
        ) from error
    return Bucket(location, seconds)
