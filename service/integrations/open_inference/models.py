"""Classifiers as models of the protocol: names, the one version, tensors in and out.

A model has the version ``1``, which is that of its tensors. A classifier's revision is none: each
registration makes one, only the latest answers, and a client that has asked for a version would be
refused from the next registration on.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch

from adapters.embeddings import ImageEmbeddings
from service.access.principal import Principal
from service.api.offloading import run_blocking
from service.composition import ServiceParts
from service.problems import ClassifierNotFound, ModelNotFound
from service.registry.predictions import nothing_to_choose_from
from service.storage.listing import Listing
from service.storage.records import ClassifierRecord
from service.tenancy import bare

VERSION = "1"
PLATFORM = "handful"
EXTENSIONS = ("binary_tensor_data", "classification")
IMAGE = "image"
_NO_QUERIES = ImageEmbeddings(torch.empty(0, 1), torch.empty(0, 1))


@dataclass(frozen=True, slots=True)
class TensorMetadata:
    """What is known of a tensor before there is one.

    Attributes:
        name: Its name.
        datatype: By the protocol's name.
        shape: −1 where it is as long as there are images, or as it happens.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class IndexedModel:
    """A model of the repository's index.

    Attributes:
        name: The classifier's.
        reason: Why it cannot answer; empty: it can.
    """

    name: str
    reason: str = ""

    @property
    def state(self) -> str:
        """Whether it answers, as the protocol says it."""
        return "UNAVAILABLE" if self.reason else "READY"

    def members(self) -> dict[str, str]:
        """Of the index, as the protocol names them."""
        return {
            "name": self.name,
            "version": VERSION,
            "state": self.state,
            "reason": self.reason,
        }


INPUTS = (TensorMetadata(IMAGE, "BYTES", (-1,)),)
LABEL = TensorMetadata("label", "BYTES", (-1,))
PROBABILITY = TensorMetadata("probability", "FP32", (-1,))
KNOWN = TensorMetadata("known", "BOOL", (-1,))
LABELS = TensorMetadata("labels", "BYTES", (-1, -1))


def outputs_of(*, multi_label: bool) -> tuple[TensorMetadata, ...]:
    """The outputs of a classifier.

    Args:
        multi_label: Whether its images may have several labels.
    """
    return (LABEL, PROBABILITY, KNOWN, *((LABELS,) if multi_label else ()))


def server_metadata() -> dict[str, Any]:
    """What the server says of itself."""
    return {"name": "handful", "version": version("handful"), "extensions": list(EXTENSIONS)}


def check_version(name: str, asked: str) -> None:
    """See that a model has a version.

    Args:
        name: The classifier's.
        asked: The version; empty: whichever there is.

    Raises:
        ModelNotFound: It has not.
    """
    if asked not in ("", VERSION):
        raise ModelNotFound(
            f"Model {bare(name)!r} has the version {VERSION!r} and no other: its latest revision"
            " answers. Leave the version out."
        )


async def record_of(parts: ServiceParts, name: str) -> ClassifierRecord:
    """A classifier as it is listed.

    Raises:
        ClassifierNotFound: There is none of that name.
    """
    record = await run_blocking(parts.store.classifier, name)
    if record is None:
        raise ClassifierNotFound(name)
    return record


async def see_that_it_answers(parts: ServiceParts, name: str) -> None:
    """See that a classifier can be asked: no image is answered by it.

    Raises:
        ClassifierNotFound, NoClasses: There is nothing to answer by.
    """
    live = await run_blocking(parts.registry.live, name)
    await run_blocking(live.predict, _NO_QUERIES, 1, 0)


async def index(parts: ServiceParts, principal: Principal, *, ready: bool) -> list[IndexedModel]:
    """The classifiers of somebody, by name.

    Args:
        parts: Of the service.
        principal: Whose, and which of them they may use.
        ready: Whether those are left out that cannot answer.
    """
    listing = Listing(tenant=principal.tenant, only=principal.classifiers)
    page = await run_blocking(parts.store.page, listing)
    models = [IndexedModel(bare(one.name), _reason(one)) for one in page.records]
    return [one for one in models if not (ready and one.reason)]


def _reason(record: ClassifierRecord) -> str:
    if record.problem is not None:
        return record.problem
    if record.n_classes and (record.settings.names_carry_meaning or record.n_images):
        return ""
    labels = [""] * record.n_classes
    return nothing_to_choose_from(record.name, labels).detail or ""
