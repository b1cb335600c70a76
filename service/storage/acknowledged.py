"""Commits that are acknowledged only once the standbys that are to have them do."""

from __future__ import annotations

from contextlib import suppress
from threading import Timer
from typing import Any

import psycopg
from psycopg.errors import Diagnostic
from psycopg.pq import TransactionStatus


class NotReplicated(psycopg.OperationalError):
    """The server committed by itself: the standby that it waits for did not answer in time."""


class AcknowledgingConnection(psycopg.Connection[Any]):
    """A connection whose commits wait for standbys, and not for ever.

    Where ``synchronous_standby_names`` is set, a commit waits for a standby, whatever time-outs are
    set; if the wait is cancelled, PostgreSQL says ``COMMIT`` with a warning: the change is lost if
    that standby takes over (https://www.postgresql.org/docs/current/warm-standby.html).

    Attributes:
        patience: Seconds that a commit waits.
    """

    patience = 10.0
    _alone = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.add_notice_handler(self._hear)

    def commit(self) -> None:
        """Commit.

        Raises:
            NotReplicated: On this server alone.
        """
        if self.info.transaction_status == TransactionStatus.IDLE:
            return
        self._alone = False
        cancelling = Timer(self.patience, self._cancel)
        cancelling.daemon = True
        cancelling.start()
        try:
            super().commit()
        finally:
            cancelling.cancel()
        if self._alone:
            raise NotReplicated("the wait for a synchronous standby was cut short")

    def _cancel(self) -> None:
        with suppress(psycopg.Error):  # the connection is lost, which the commit tells
            self.cancel_safe(timeout=self.patience)

    def _hear(self, told: Diagnostic) -> None:
        # The message is in the server's language; this is the function that raises it.
        if told.source_function == "SyncRepWaitForLSN":
            self._alone = True
