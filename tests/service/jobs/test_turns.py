"""Whose job is worked on next: tenants take turns, then classifiers."""

from __future__ import annotations

from datetime import UTC, datetime

from service.jobs.background_jobs import next_job
from service.storage.jobs import JobRecord

NOW = datetime.now(UTC)


def job(tenant: str, classifier: str) -> JobRecord:
    return JobRecord(
        id=f"{tenant}-{classifier}",
        tenant=tenant,
        kind="predict",
        classifier=f"{tenant}/{classifier}",
        classifier_id=1,
        classifier_created_at=NOW,
        parameters={},
        folder=None,
        place="here",
        total=1,
        skipped=0,
        created_at=NOW,
    )


def test_a_tenant_with_many_jobs_does_not_hold_up_another_one() -> None:
    many = [job("one", name) for name in "abcdef"]
    late = job("other", "a")
    assert next_job([*many[1:], late], many[:1]) is late
    assert next_job(many, []) is many[0]


def test_of_one_tenant_classifiers_take_turns_and_the_oldest_comes_first() -> None:
    running = job("one", "a")
    waiting = [job("one", "a"), job("one", "b"), job("one", "c")]
    assert next_job(waiting, [running]) is waiting[1]
    assert next_job(waiting[:1], [running]) is waiting[0]
