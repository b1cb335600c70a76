"""Images of a JSON body, received: those that it names by URL are fetched."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from threading import Lock

from starlette.requests import Request

from service.access.principal import Scope, principal_of
from service.access.required_access import RequiredAccess
from service.api.access_control import check_access
from service.api.deadlines import deadline_or_disconnect
from service.api.image_quota import count_images
from service.api.json_documents import refusal, written
from service.api.json_images.items import Item, Reference, Remote
from service.api.json_images.reading import read_items, read_labelled_items
from service.api.middleware.bytes_in_flight import Account, account_of
from service.composition import ServiceParts
from service.fetching import Fetcher, FetchError
from service.file_reasons import FileReason, members
from service.images.uploaded import UploadedImage
from service.name_validation import checked_classifier
from service.problems import CannotFetch, RequestTooLarge

_NAMED = 20
# Requests that one may lead to elsewhere.
_MOST_URLS = 100


async def received_items(
    request: Request, parts: ServiceParts, label: str | None = None
) -> list[Item]:
    """The images of a JSON body, of the class with that label if one is named.

    Raises:
        NotAllowed: One of a classifier is named that whoever asks may not read.

    Raises as :func:`service.api.json_images.reading.read_items`, too.
    """
    items = await read_items(request, parts.settings, label)
    return await fetched(request, parts, items)


async def received_labelled_items(request: Request, parts: ServiceParts) -> list[tuple[str, Item]]:
    """The images of a JSON body with their labels.

    Raises as :func:`received_items`, and
    :func:`service.api.json_images.reading.read_labelled_items`.
    """
    labelled = await read_labelled_items(request, parts.settings)
    items = await fetched(request, parts, [item for _, item in labelled])
    return [(label, item) for (label, _), item in zip(labelled, items, strict=True)]


def _check_references(request: Request, items: Sequence[Item]) -> None:
    """See that whoever asks may read the other classifiers whose images are named.

    Raises:
        NotAllowed: They may not, which says nothing of whether there is one.
    """
    principal = principal_of(request.scope)
    for item in items:
        if isinstance(item, Reference) and (name := item.classifier) is not None:
            check_access(principal, RequiredAccess(Scope.READ, classifier=checked_classifier(name)))


async def fetched(request: Request, parts: ServiceParts, items: Sequence[Item]) -> list[Item]:
    """Images of a request with those in hand that it names by URL; all of them, or none is used.

    Raises:
        InvalidRequest: There are some, and the service fetches none.
        RequestTooLarge: There are too many.
        CannotFetch: Some cannot be fetched; all of them are named.
        NotAllowed: One of a classifier is named that whoever asks may not read.
        RateLimited: There are more than may be sent.
        Overloaded: There is no room for their bytes.
    """
    await count_images(request.scope, len(items))
    _check_references(request, items)
    remote = [item for item in items if isinstance(item, Remote)]
    if not remote:
        return list(items)
    if parts.fetcher is None:
        why = "is a URL, and this service fetches none (HANDFUL_FETCH_FROM)"
        raise refusal([(item.place, why) for item in remote])
    if len(remote) > _MOST_URLS:
        raise RequestTooLarge(
            f"{len(remote)} images are given by URL; at most {_MOST_URLS} are fetched for one "
            "request. Send several requests, or the images themselves."
        )
    contents = await _contents(request, parts, parts.fetcher, remote)
    faults = [
        FileReason(written(item.place), str(found))
        for item, found in zip(remote, contents, strict=True)
        if isinstance(found, FetchError)
    ]
    if faults:
        told = "; ".join(f"{one.file} {one.reason}" for one in faults[:_NAMED])
        more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
        raise CannotFetch(f"{told}{more}.", files=members(faults))
    uploads = iter(
        UploadedImage(item.filename, partial(bytes, found), written(item.place))
        for item, found in zip(remote, contents, strict=True)
        if isinstance(found, bytes)
    )
    return [next(uploads) if isinstance(item, Remote) else item for item in items]


async def _contents(
    request: Request, parts: ServiceParts, fetcher: Fetcher, remote: Sequence[Remote]
) -> list[bytes | FetchError]:
    """What each is answered with, or why it is not; until the client hangs up."""
    held = _Held(account_of(request))

    async def one(item: Remote) -> bytes | FetchError:
        try:
            return await fetcher.fetch(item.url, parts.settings.fetch_seconds, held.take)
        except FetchError as error:
            return error

    every = asyncio.gather(*map(one, remote))
    try:
        await deadline_or_disconnect(request)(every)
        return every.result()
    finally:
        held.end()
        every.cancel()
        await asyncio.gather(every, return_exceptions=True)


class _Held:
    """What the fetched bytes of a request take of the budget, as long as somebody wants them.

    A thread that receives some for nobody any more ends by this.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._lock = Lock()
        self._over = False

    def take(self, more: int) -> None:
        with self._lock:
            if self._over:
                raise FetchError("is not wanted any more")
            self._account.take(more)

    def end(self) -> None:
        with self._lock:
            self._over = True
