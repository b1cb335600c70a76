"""The tables. Their history is in ``migrations/``; change both together."""

from __future__ import annotations

from service.storage.tables.access import (
    AccessVersionRow,
    AuditRow,
    IdempotencyRow,
    KeyRow,
    SessionRow,
    TenantLimitsRow,
)
from service.storage.tables.base import Base, table_of
from service.storage.tables.checksums import checksum, is_as_written
from service.storage.tables.classifiers import (
    BackboneRow,
    ChangeRow,
    ClassifierRow,
    ClassRow,
    SupportRow,
)
from service.storage.tables.columns import (
    NULLABLE_JSON,
    QUALIFIED,
    Ids,
    Json,
    Moment,
    Names,
    Strings,
    Unreadable,
    now,
)
from service.storage.tables.contents import ContentObjectRow, ContentStoreRow
from service.storage.tables.damage_checks import DamageCheckRow
from service.storage.tables.history import ArchivedClassRow, ArchivedSupportRow, HistoryRow
from service.storage.tables.images import (
    ContentRow,
    ImageRow,
    PromptRow,
    ReEmbeddedRow,
    ReEmbeddingRow,
    ViewsRow,
)
from service.storage.tables.inbox import RememberedContentRow, RememberedRow, VerdictRow
from service.storage.tables.jobs import JobRow
from service.storage.tables.label_studio import AnnotationRow, HeldRow, LearntRow
from service.storage.tables.prompts import PromptedRow, TrainedPromptsRow

__all__ = [
    "NULLABLE_JSON",
    "QUALIFIED",
    "AccessVersionRow",
    "AnnotationRow",
    "ArchivedClassRow",
    "ArchivedSupportRow",
    "AuditRow",
    "BackboneRow",
    "Base",
    "ChangeRow",
    "ClassRow",
    "ClassifierRow",
    "ContentObjectRow",
    "ContentRow",
    "ContentStoreRow",
    "DamageCheckRow",
    "HeldRow",
    "HistoryRow",
    "IdempotencyRow",
    "Ids",
    "ImageRow",
    "JobRow",
    "Json",
    "KeyRow",
    "LearntRow",
    "Moment",
    "Names",
    "PromptRow",
    "PromptedRow",
    "ReEmbeddedRow",
    "ReEmbeddingRow",
    "RememberedContentRow",
    "RememberedRow",
    "SessionRow",
    "Strings",
    "SupportRow",
    "TenantLimitsRow",
    "TrainedPromptsRow",
    "Unreadable",
    "VerdictRow",
    "ViewsRow",
    "checksum",
    "is_as_written",
    "now",
    "table_of",
]
