"""Trained prompts of tenants: put, listed, deleted, and chosen by classifiers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import Engine

from adapters.backbone_errors import BackboneError, PromptError
from adapters.encoder import Encoder
from service.encoder import load_towers, prompts_refusal
from service.encoding.prompted import PromptedEncoders
from service.problems import ChangedMeanwhile, InvalidPrompts, InvalidSettings
from service.settings import Settings
from service.storage.errors import Outdated, StorageError
from service.storage.fingerprints import Origin
from service.storage.trained_prompts import (
    NewPrompts,
    PromptsRecord,
    PromptsRecorder,
    classifiers_with_prompts,
    delete_prompts,
    find_prompts,
    fingerprints_in_use,
    list_prompts,
    prompts_file,
    put_prompts,
)
from service.tenancy import bare

# Classifiers that a message names.
_NAMED = 20


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
        except Exception as error:
            if prompts_file(self.engine, fingerprint, self.model) is None:
                self.encoders.forget(fingerprint)  # refused: nobody has them
            if not isinstance(error, Outdated):
                raise
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
            InvalidSettings: They cannot be used with the backbone of this service.
        """
        try:
            self.encoders.refuse()
            found = find_prompts(self.engine, tenant, name)
            if found.model != self.model:
                raise InvalidPrompts(
                    f"They were put for another backbone or adapter than this service has. DELETE"
                    f" /v1/prompts/{name} and PUT those that were trained for this one, or start"
                    " the service as it was."
                )
            if not self.encoders.can_embed(found.fingerprint):
                raise InvalidPrompts("They cannot be read; the log says why. PUT the file again.")
        except InvalidPrompts as problem:
            raise InvalidSettings(
                f"prompts: {name!r} cannot be used. {problem.detail}"
            ) from problem
        return found.fingerprint

    def load_used(self) -> None:
        """Load what classifiers of the database have chosen, so that no query waits for it.

        Raises:
            StorageError: This service can embed with no prompts, and there are classifiers that
                have chosen some.
        """
        used = classifiers_with_prompts(self.engine)
        if not used:
            return
        try:
            self.encoders.refuse()
        except InvalidPrompts as refused:
            shown = ", ".join(map(bare, used[:_NAMED])) + (", ..." if len(used) > _NAMED else "")
            raise StorageError(
                f"{len(used)} classifiers have prompts of their own: {shown}. {refused.detail}"
            ) from refused
        for fingerprint in sorted(fingerprints_in_use(self.engine)):
            self.encoders.can_embed(fingerprint)

    @property
    def model(self) -> str:
        """Fingerprint of the model that they are used with."""
        return self.encoders.model_fingerprint


def prompted_encoders(engine: Engine, backbone: Encoder, settings: Settings) -> PromptedEncoders:
    """What embeds by the trained prompts of a database, with the backbone of a service.

    Args:
        engine: Of the database.
        backbone: Without prompts of classifiers.
        settings: That it was loaded with.
    """
    model = backbone.model_fingerprint
    return PromptedEncoders(
        settings,
        model,
        partial(load_towers, settings, backbone),
        lambda fingerprint: prompts_file(engine, fingerprint, model),
        prompts_refusal(backbone, settings),
    )


def _refused(error: BackboneError) -> InvalidPrompts:
    """The problem that prompts or the model are of another kind, with the words that mend it."""
    kind = "" if isinstance(error, PromptError) else "the model cannot be loaded: "
    text = f"{kind}{error}"
    return InvalidPrompts(text[:1].upper() + text[1:] + ".")
