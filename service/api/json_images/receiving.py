"""Images of a JSON body, received: those that it names by URL are fetched."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request

from service.access.principal import Scope, principal_of
from service.api.image_quota import count_images
from service.api.json_documents import refusal
from service.api.json_images.items import Item, Reference, Remote
from service.api.json_images.reading import read_items, read_labelled_items
from service.composition import ServiceParts
from service.name_validation import checked_classifier
from service.problems import ClassifierNotFound


async def received_items(
    request: Request, parts: ServiceParts, label: str | None = None
) -> list[Item]:
    """The images of a JSON body, of the class with that label if one is named.

    Raises:
        ClassifierNotFound: One of a classifier is named that whoever asks may not read.

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
        ClassifierNotFound: They may not, which says nothing of whether there is one.
    """
    principal = principal_of(request.scope)
    for item in items:
        if isinstance(item, Reference) and (name := item.classifier) is not None:
            named = principal.classifiers is None or name in principal.classifiers
            if not (named and Scope.READ in principal.scopes):
                raise ClassifierNotFound(checked_classifier(name))
            checked_classifier(name)


async def fetched(request: Request, parts: ServiceParts, items: Sequence[Item]) -> list[Item]:
    """Images of a request with those in hand that it names by URL.

    Raises:
        InvalidRequest: There are some, and the service fetches none.
        ClassifierNotFound: One of a classifier is named that whoever asks may not read.
        RateLimited: There are more than may be sent.
    """
    count_images(request.scope, len(items))
    _check_references(request, items)
    remote = [
        (item.place, "is a URL, and this service fetches none (HANDFUL_FETCH_FROM)")
        for item in items
        if isinstance(item, Remote)
    ]
    if remote:
        raise refusal(remote)
    return list(items)
