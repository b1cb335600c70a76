"""Bytes of images outside the database: which stores there are, and what is in them."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0014"
branch_labels = None
depends_on = None

_USED = sa.text("object_id IS NOT NULL")
_TABLES = ("image_contents", "remembered_contents")


def upgrade() -> None:
    """Add both, empty: all bytes that there are stay in the database."""
    op.create_table(
        "content_stores",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("marker", sa.String(32), nullable=False, unique=True),
        sa.Column("location", sa.Text(), nullable=False),
    )
    op.create_table(
        "content_objects",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column(
            "store_id", sa.Integer(), sa.ForeignKey("content_stores.id"), nullable=False, index=True
        ),
        sa.Column("key", sa.String(255), nullable=False, unique=True),
        sa.Column("nbytes", sa.BigInteger(), nullable=False),
        sa.Column("unused_since", sa.DateTime(timezone=True), nullable=True, index=True),
        sa.Column("doomed", sa.Boolean(), nullable=False),
        sqlite_autoincrement=True,
    )
    for table in _TABLES:
        # In SQLite a column with a reference is added as it is; Alembic would copy the table.
        op.execute(f"ALTER TABLE {table} ADD COLUMN object_id INTEGER REFERENCES content_objects")
        op.create_index(
            f"ix_{table}_object",
            table,
            ["object_id"],
            sqlite_where=_USED,
            postgresql_where=_USED,
        )


def downgrade() -> None:
    """Drop both, unless bytes are outside the database.

    Raises:
        RuntimeError: Some are.
    """
    connection = op.get_bind()
    for table in _TABLES:
        if connection.scalar(sa.text(f"SELECT 1 FROM {table} WHERE {_USED} LIMIT 1")):  # noqa: S608 - constants
            raise RuntimeError(
                "images are outside the database; bring them back first (handful move-images)"
            )
    for table in _TABLES:
        op.drop_index(f"ix_{table}_object", table)
        with op.batch_alter_table(table) as batch:
            batch.drop_column("object_id")
    op.drop_table("content_objects")
    op.drop_table("content_stores")
