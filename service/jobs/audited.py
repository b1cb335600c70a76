"""Who has asked for a job, for the audit log: it goes along with the job, and is not shown."""

from __future__ import annotations

from typing import Any

from service.access.principal import Principal
from service.storage.audit import AuditRecorder
from service.storage.jobs import JobRecord
from service.storage.recording import Recorder
from service.tenancy import bare

_HIDDEN = "audited_"


def audited_by(principal: Principal) -> dict[str, Any]:
    """Parameters of a job whose changes are to be in the audit log."""
    return {f"{_HIDDEN}key": principal.key_id, f"{_HIDDEN}user": principal.user}


def shown_parameters(job: JobRecord) -> dict[str, Any]:
    """The parameters of the request, without these."""
    return {name: value for name, value in job.parameters.items() if not name.startswith(_HIDDEN)}


def recorders_of(job: JobRecord) -> list[Recorder]:
    """What writes the changes of a job down; nothing where there is no audit log."""
    if f"{_HIDDEN}key" not in job.parameters:
        return []
    principal = Principal(
        tenant=job.tenant,
        key_id=job.parameters[f"{_HIDDEN}key"],
        user=job.parameters[f"{_HIDDEN}user"],
    )
    request = f"POST /v1/classifiers/{bare(job.classifier)}/support, job {job.id}"
    return [AuditRecorder(principal, request)]
