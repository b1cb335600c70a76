"""Images of a JSON body embedded: those by their bytes by the encoder, the others as they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial

from adapters.embeddings import ImageEmbeddings
from service.api.json_documents import written
from service.api.json_images.items import GivenEmbedding, Item, Reference
from service.api.offloading import run_blocking
from service.composition import ServiceParts
from service.encoding.image_embedder import Wait
from service.images.embedded import EMBEDDING_TYPE, EmbeddedImage, digest
from service.images.uploaded import UploadedImage
from service.problems import (
    ChangedMeanwhile,
    ImageNotFound,
    ImageNotStored,
    InvalidUpload,
    OtherFingerprint,
)
from service.storage.records import SupportRecord
from service.storage.store import Store
from service.storage.stored_images import StoredImage, stored_images
from service.tenancy import bare, qualified, tenant_of


async def embedded_queries(
    parts: ServiceParts, items: Sequence[Item], name: str, fingerprint: str, wait: Wait
) -> ImageEmbeddings:
    """Embeddings of images that someone wants an answer about, in their order.

    Args:
        parts: Of the service.
        items: One or more.
        name: The qualified name of the classifier that is asked, or another one of its tenant,
            under which turns are taken.
        fingerprint: Of the recipe.
        wait: Waits for the encoder; when it raises, what is not begun is not done.

    Raises:
        OtherFingerprint: A given embedding is of another recipe.
        InvalidRequest: A given embedding is none.
        ClassifierNotFound, ImageNotFound, ImageNotStored: A reference leads nowhere.

    Raises as :meth:`service.encoding.image_embedder.ImageEmbedder.query`, too.
    """

    def known() -> list[UploadedImage | ImageEmbeddings]:
        lookup = _Lookup(parts, name, items, fingerprint)
        return [lookup.query(item) for item in items]

    found = await run_blocking(known)
    files = [one for one in found if isinstance(one, UploadedImage)]
    if len(files) == len(found):
        return await parts.embedder.query(files, name, wait, fingerprint)
    rows: Iterator[ImageEmbeddings] = iter(())
    if files:
        queries = await parts.embedder.query(files, name, wait, fingerprint)
        rows = iter([queries[i : i + 1] for i in range(len(queries))])
    return ImageEmbeddings.concatenate(
        [next(rows) if isinstance(one, UploadedImage) else one for one in found]
    )


async def embedded_support(
    parts: ServiceParts,
    items: Sequence[Item],
    name: str,
    wait: Wait,
    fingerprint: str,
    views: int,
) -> list[EmbeddedImage]:
    """Images embedded to be registered, in their order.

    Args:
        parts: Of the service.
        items: One or more.
        name: The classifier's.
        wait: Waits for the encoder; when it raises, what is not begun is not done.
        fingerprint: Of the recipe that it is of.
        views: The support views that it asks for.

    Raises:
        InvalidUpload: Embeddings are given, and it asks for views that are made of bytes.

    Raises as :func:`embedded_queries` and
    :meth:`service.encoding.image_embedder.ImageEmbedder.register`, too.
    """

    def known() -> list[UploadedImage | EmbeddedImage]:
        lookup = _Lookup(parts, name, items, fingerprint)
        return [lookup.support(item, views) for item in items]

    found = await run_blocking(known)
    files = [one for one in found if isinstance(one, UploadedImage)]
    made = iter(
        await parts.embedder.register(files, name, wait, fingerprint, views) if files else ()
    )
    return [next(made) if isinstance(one, UploadedImage) else one for one in found]


class _Lookup:
    """What is known of items without the encoder; blocks."""

    def __init__(
        self, parts: ServiceParts, name: str, items: Sequence[Item], fingerprint: str
    ) -> None:
        self._parts = parts
        self._name = name
        self._fingerprint = fingerprint
        asked: defaultdict[str, list[str]] = defaultdict(list)
        for item in items:
            if isinstance(item, Reference):
                asked[self._owner(item)].append(item.image_id)
        self._stored: dict[str, dict[str, StoredImage]] = {}
        for owner, ids in asked.items():
            state = parts.registry.live(owner).state
            self._stored[owner] = stored_images(parts.engine, owner, state, ids, fingerprint)

    def query(self, item: Item) -> UploadedImage | ImageEmbeddings:
        if isinstance(item, GivenEmbedding):
            return self._given(item)
        if isinstance(item, Reference):
            stored = self._found(item)
            return self._upload(item, stored) if stored.embeddings is None else stored.embeddings
        return _file(item)

    def support(self, item: Item, views: int) -> UploadedImage | EmbeddedImage:
        if isinstance(item, GivenEmbedding):
            embeddings = self._given(item)
            if views > 1:
                raise InvalidUpload(
                    f"{written(item.place)} is an embedding, and the classifier averages {views} "
                    "support views of each image, which are made of its bytes. Send these, or give"
                    " the classifier support_views=1."
                )
            return EmbeddedImage(
                filename=item.filename,
                read=None,
                sha256=digest(embeddings, self._fingerprint),
                media_type=EMBEDDING_TYPE,
                width=0,
                height=0,
                fingerprint=self._fingerprint,
                embeddings=embeddings,
            )
        if isinstance(item, Reference):
            stored = self._found(item)
            if views > 1 or stored.embeddings is None:
                return self._upload(item, stored)
            record = stored.record
            return EmbeddedImage(
                filename=record.filename,
                read=partial(_content, self._parts.store, record) if stored.is_kept else None,
                sha256=record.sha256,
                media_type=record.media_type,
                width=record.width,
                height=record.height,
                fingerprint=self._fingerprint,
                embeddings=stored.embeddings,
            )
        return _file(item)

    def _given(self, item: GivenEmbedding) -> ImageEmbeddings:
        if item.fingerprint != self._fingerprint:
            raise OtherFingerprint(
                f"{written(item.place)} is an embedding of the fingerprint {item.fingerprint}, and "
                f"what it is to be compared with is of the fingerprint {self._fingerprint}. Have "
                "the image embedded anew (POST /v1/embeddings), or send it itself."
            )
        backbone = self._parts.backbone
        return item.embeddings(backbone.width, backbone.corrected_width)

    def _found(self, item: Reference) -> StoredImage:
        owner = self._owner(item)
        if (stored := self._stored[owner].get(item.image_id)) is None:
            name = bare(owner)
            raise ImageNotFound(
                f"{written(item.place)}: classifier {name!r} has no image {item.image_id!r}. "
                f"GET /v1/classifiers/{name}/classes/LABEL lists those of a class."
            )
        return stored

    def _owner(self, item: Reference) -> str:
        """The qualified name of the classifier whose image it is: one of the same tenant."""
        if item.classifier is None:
            return self._name
        return qualified(tenant_of(self._name), item.classifier)

    def _upload(self, item: Reference, stored: StoredImage) -> UploadedImage:
        """A stored image as a file, to be embedded."""
        if not stored.is_kept:
            raise ImageNotStored(
                f"{written(item.place)}: of the image {item.image_id!r} nothing is kept that could "
                "be embedded as the classifier asks for. Send the image itself."
            )
        read = partial(_content, self._parts.store, stored.record)
        return UploadedImage(stored.record.filename, read, f"{written(item.place)}.image_id")


def _file(item: Item) -> UploadedImage:
    if isinstance(item, UploadedImage):
        return item
    raise TypeError(f"{type(item).__name__} is to be fetched, or looked up, before")


def _content(store: Store, record: SupportRecord) -> bytes:
    """The bytes of a stored image; in a decoder's thread, or where they are written."""
    if (content := store.content(record.id)) is None:
        raise ChangedMeanwhile(
            "A support image that the request refers to was deleted meanwhile; nothing of the "
            "request was done.",
            headers={"retry-after": "1"},
        )
    return content
