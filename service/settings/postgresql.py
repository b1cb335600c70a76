"""Settings of a PostgreSQL database: how many connections, how long statements, which pooler."""

from __future__ import annotations

from pydantic import BaseModel, Field


class PostgreSQLSettings(BaseModel):
    """Settings of a PostgreSQL database; SQLite has no use for them."""

    database_pool_size: int = Field(
        8,
        ge=1,
        description="Connections to PostgreSQL that a process keeps open once it has needed them.",
    )
    database_pool_overflow: int = Field(
        8,
        ge=0,
        description="Connections that a process opens beside those when they are all in use, and"
        " closes after.",
    )
    database_statement_seconds: float = Field(
        60,
        gt=0,
        le=86_400,
        description="Longest that PostgreSQL works on one statement, waits for locks included, or"
        " keeps a transaction that asks nothing.",
    )
    database_transaction_pooling: bool = Field(
        False,
        description="Whether connections go through PgBouncer, or another pooler, in transaction"
        " mode: nothing is kept in a session then.",
    )
