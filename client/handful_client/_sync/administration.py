"""What administrators of a tenant, and operators of a service, ask of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from handful_client._sync.transport import Transport
from handful_client.calls import Call, Query, json_call
from handful_client.models import AuditEntry, AuditPage, KeyIn, KeyList, KeyOut, NewKeyOut, UsageOut

# Entries or keys of a page.
_PAGE = 500


class Administration:
    """Use, keys and audit log of a tenant; the latter need the scope ``admin``."""

    _transport: Transport

    def usage(self) -> UsageOut:
        """What the tenant owns, and its limits."""
        return self._transport.model(UsageOut, Call("GET", ("v1", "usage")))

    def audit(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        key_id: str | None = None,
        classifier: str | None = None,
        action: str | None = None,
        tenant: str | None = None,
    ) -> Iterator[AuditEntry]:
        """What was done, or refused, the newest first.

        Args:
            since: Not before that time, which has a time zone.
            until: Before that time.
            key_id: With the key of that id.
            classifier: To that one.
            action: Of that kind, as ``key.created``.
            tenant: Another one's, which an operator may say.
        """
        asked: dict[str, str | int | float | bool | Sequence[str] | None] = {
            "limit": _PAGE,
            "since": None if since is None else since.isoformat(),
            "until": None if until is None else until.isoformat(),
            "key_id": key_id,
            "classifier": classifier,
            "action": action,
            "tenant": tenant,
        }
        while True:
            page = self._transport.model(AuditPage, Call("GET", ("v1", "audit"), asked))
            for one in page.entries:
                yield one
            if page.next_cursor is None:
                return
            asked["cursor"] = page.next_cursor

    def list_keys(self, *, tenant: str | None = None) -> list[KeyOut]:
        """Keys of the tenant, without what makes them keys.

        Args:
            tenant: Another one, which an operator may say.
        """
        found: list[KeyOut] = []
        cursor: str | None = None
        while True:
            query: Query = {"tenant": tenant, "limit": _PAGE, "cursor": cursor}
            page = self._transport.model(KeyList, Call("GET", ("v1", "keys"), query))
            found += page.keys
            if (cursor := page.next_cursor) is None:
                return found

    def make_key(self, terms: KeyIn | None = None) -> NewKeyOut:
        """Make a key; its text is in this answer and nowhere else.

        Args:
            terms: Those left out take their default.
        """
        document = (terms or KeyIn()).model_dump(mode="json", exclude_unset=True)
        call = json_call("POST", ("v1", "keys"), document)
        return self._transport.model(NewKeyOut, call)

    def rotate_key(self, key_id: str, *, grace_seconds: int = 86_400) -> NewKeyOut:
        """Make a key on the terms of another one, which ends some time later.

        Args:
            key_id: Its public id.
            grace_seconds: How long it stays valid beside the new one.
        """
        query: Query = {"grace_seconds": grace_seconds}
        call = Call("POST", ("v1", "keys", key_id, "rotate"), query)
        return self._transport.model(NewKeyOut, call)

    def revoke_key(self, key_id: str) -> None:
        """Let a key not be valid any more."""
        self._transport.content(Call("DELETE", ("v1", "keys", key_id)))
