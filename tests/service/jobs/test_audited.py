"""What a job changes is in the audit log under the key that asked for it."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from service.access.principal import Principal
from service.jobs.audited import audited_by, recorders_of, shown_parameters
from service.storage.jobs import JobRecord
from service.storage.store import Store
from service.storage.tables import AuditRow
from tests.service.stored import OWN, create


def job(**parameters: object) -> JobRecord:
    now = datetime.now(UTC)
    return JobRecord(
        id="0" * 32,
        tenant="maps",
        kind="register",
        classifier="maps/land",
        classifier_id=1,
        classifier_created_at=now,
        parameters=parameters,
        folder=None,
        place="here",
        total=1,
        created_at=now,
    )


def test_changes_of_a_job_are_written_down_under_its_key(engine: Engine) -> None:
    principal = Principal(tenant="maps", key_id="k1", user="ada")
    asked = job(filename_encoding=None, **audited_by(principal))
    assert shown_parameters(asked) == {"filename_encoding": None}
    create(Store(engine, OWN).recording(recorders_of(asked)), "maps/land", "ant")
    with Session(engine) as session:
        [entry] = session.scalars(select(AuditRow))
        assert (entry.tenant, entry.key_id, entry.user) == ("maps", "k1", "ada")
        assert entry.classifier == "land"
        assert asked.id in str(entry.details)
    assert recorders_of(job(filename_encoding=None)) == []
