"""An object store: bytes under keys, in a folder or a bucket, which knows no database."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from typing import Protocol
from urllib.parse import quote

from service.tenancy import bare, tenant_of

#: Key of the object by which a store is known again; no image's begins so.
MARKER = "handful-store"
#: What a problem of a store says last to whoever sent the request.
AGAIN = "Nothing was changed; send the request again."


class ObjectMissing(Exception):
    """There is no object under a key."""


class ObjectStore(Protocol):
    """Bytes under keys. Methods block, and may be called from many threads.

    All raise ``StorageUnavailable`` where the store cannot be used now, after at most
    ``HANDFUL_DATABASE_SECONDS``, and ``StorageFull`` where it has no room. An object is there whole
    or not at all, and still there after a crash once ``put`` has returned.

    Attributes:
        location: Its URL, without secrets.
    """

    @property
    def location(self) -> str:
        """Its URL, without secrets."""

    def put(self, key: str, content: bytes) -> None:
        """Write an object; one that is there under that key is replaced."""

    def get(self, key: str) -> bytes:
        """Read an object.

        Raises:
            ObjectMissing: There is none.
        """

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; those that are not there are no error."""

    def all_keys(self) -> Iterator[str]:
        """Keys of all objects, in no order."""


def new_key(content_key: str) -> str:
    """A key that no object has ever had, for bytes of a tenant by their qualified SHA-256.

    ``TENANT/ab/cd/SHA256.RANDOM``, with ``_`` for the default tenant: a digest shards evenly, and
    says of an object by itself whether it is whole.
    """
    tenant, sha256 = quote(tenant_of(content_key), safe="") or "_", bare(content_key)
    return f"{tenant}/{sha256[:2]}/{sha256[2:4]}/{sha256}.{uuid.uuid4().hex}"


def is_whole(key: str, content: bytes) -> bool:
    """Whether bytes are those that the key of their object says."""
    return hashlib.sha256(content).hexdigest() == key.rpartition("/")[2].partition(".")[0]
