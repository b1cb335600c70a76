"""Trained prompts of tenants: put, listed, deleted, and chosen by classifiers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Engine

from adapters.backbone_errors import BackboneError, PromptError
from service.encoding.prompted import PromptedEncoders
from service.problems import ChangedMeanwhile, InvalidPrompts
from service.storage.errors import Outdated
from service.storage.fingerprints import Origin
from service.storage.trained_prompts import (
    NewPrompts,
    PromptsRecord,
    PromptsRecorder,
    delete_prompts,
    find_prompts,
    fingerprints_in_use,
    list_prompts,
    prompts_file,
    put_prompts,
)


@dataclass(frozen=True, slots=True)
class ChosenPrompts:
    """Trained prompts of one database, with what embeds by them. Methods block.

    Attributes:
        engine: Of the database.
        own: What embeddings without them come from.
        encoders: What embeds by them.
    """

    engine: Engine
    own: Origin
    encoders: PromptedEncoders

    def put(
        self, tenant: str, name: str, content: bytes, record: PromptsRecorder
    ) -> tuple[PromptsRecord, bool]:
        """Read trained prompts, see that they fit the backbone, and keep them under a name.

        Returns:
            What they are, and whether they are new.

        Raises:
            InvalidPrompts: They are none, or cannot be used with the backbone of this service.
            PromptsExist: There are others of that name.
            TooManyPrompts: The tenant has as many as it may.
        """
        try:
            trained, fingerprint = self.encoders.add(content, "The body")
        except BackboneError as error:
            raise _refused(error) from error
        config = trained.config
        described: dict[str, Any] = {
            "template": config.template,
            "depth": config.depth,
            "length": config.length,
            "trained_with": trained.backbone,
        }
        new = NewPrompts(
            tenant=tenant,
            name=name,
            sha256=trained.sha256,
            content=content,
            origin=replace(self.own, fingerprint=fingerprint),
            model=self.model,
            described=described,
        )
        try:
            created = put_prompts(self.engine, new, record)
        except Outdated as error:
            raise ChangedMeanwhile(
                f"Somebody has just put or deleted prompts {name!r}. Send the request again.",
                headers={"retry-after": "1"},
            ) from error
        return find_prompts(self.engine, tenant, name), created

    def all(self, tenant: str) -> list[PromptsRecord]:
        """All prompts of a tenant, by their names."""
        return list_prompts(self.engine, tenant)

    def find(self, tenant: str, name: str) -> PromptsRecord:
        """Prompts of a tenant.

        Raises:
            PromptsNotFound: It has none of that name.
        """
        return find_prompts(self.engine, tenant, name)

    def delete(self, tenant: str, name: str, record: PromptsRecorder) -> None:
        """Delete prompts that no classifier uses.

        Raises:
            PromptsNotFound: There are none of that name.
            PromptsInUse: Classifiers use them.
        """
        gone = delete_prompts(self.engine, tenant, name, record)
        if prompts_file(self.engine, gone, self.model) is None:
            self.encoders.forget(gone)

    def fingerprint(self, tenant: str, name: str) -> str:
        """What is embedded with prompts comes from, which this process can embed then.

        Raises:
            PromptsNotFound: The tenant has none of that name.
            InvalidPrompts: They cannot be used with the backbone of this service.
        """
        found = find_prompts(self.engine, tenant, name)
        if found.model != self.model:
            raise InvalidPrompts(
                f"The prompts {name!r} were put for another backbone or adapter than this service"
                " has. PUT their file again, or start the service with that backbone."
            )
        try:
            there = self.encoders.can_embed(found.fingerprint)
        except BackboneError as error:
            raise _refused(error) from error
        if not there:
            self.encoders.refuse()
        return found.fingerprint

    def load_used(self) -> None:
        """Load what classifiers of the database have chosen, so that no query waits for it.

        Raises:
            BackboneError: The model cannot be loaded.
        """
        for fingerprint in sorted(fingerprints_in_use(self.engine)):
            self.encoders.can_embed(fingerprint)

    @property
    def model(self) -> str:
        """Fingerprint of the model that they are used with."""
        return self.encoders.model_fingerprint


def _refused(error: BackboneError) -> InvalidPrompts:
    """The problem that prompts or the model are of another kind, with the words that mend it."""
    kind = "" if isinstance(error, PromptError) else "the model cannot be loaded: "
    text = f"{kind}{error}"
    return InvalidPrompts(text[:1].upper() + text[1:] + ".")
