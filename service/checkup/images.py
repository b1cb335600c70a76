"""Where the bytes of images go: the database, a folder or a bucket. Nothing is written there."""

from __future__ import annotations

from collections.abc import Iterator

from service.checkup.disk import look_at_folder
from service.checkup.finding import Finding, ok, problem, warning
from service.problems import StorageFull, StorageUnavailable
from service.settings import Settings
from service.settings.image_location import folder_of
from service.storage.contents.claiming import marker_of
from service.storage.contents.opening import open_store
from service.storage.errors import StorageError

_SECONDS = 10


def look_at_images(settings: Settings) -> Iterator[Finding]:
    """Look at the store that the settings name, whose marker is read."""
    location = settings.images
    if not settings.store_images:
        yield ok("bytes are not kept: embeddings alone (HANDFUL_STORE_IMAGES)")
        return
    if location is None:
        yield ok("in the database (HANDFUL_IMAGES names a folder or a bucket)")
        return
    if (folder := folder_of(location)) is not None:
        yield from look_at_folder("folder of images", folder)
        if not folder.is_dir():  # where a disk is not mounted, nothing else is to be asked
            return
    try:
        marker = marker_of(open_store(location, _SECONDS))
    except (StorageError, StorageFull, StorageUnavailable) as error:
        said = error if isinstance(error, StorageError) else error.__cause__ or error.detail
        yield problem(
            f"{location} cannot be used: {' '.join(str(said).split())}",
            "look at its endpoint, keys and grants (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, ...)",
        )
        return
    if marker is None:
        yield warning(
            f"{location} is no store of Handful yet",
            "handful serve makes it one; if images are in it, the wrong place is named or mounted",
        )
    else:
        yield ok(f"{location} is a store of Handful: {marker}")
