"""Checksums of embeddings, and when the database was checked for damage."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_TABLES = (
    "images",
    "image_views",
    "re_embedded",
    "prompted_embeddings",
    "remembered",
    "classes",
    "prompt_embeddings",
)


def upgrade() -> None:
    """Add them, empty: the first check fills them in, and this rewrites no rows."""
    for table in _TABLES:
        op.add_column(table, sa.Column("checksum", sa.BigInteger(), nullable=True))
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "damage_checks",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("due_at", moment, nullable=False),
        sa.Column("worker", sa.String(32), nullable=True),
        sa.Column("beat", moment, nullable=True),
        sa.Column("ended_at", moment, nullable=True),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("found", sa.JSON(), nullable=True),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("damage_checks")
    for table in reversed(_TABLES):
        op.drop_column(table, "checksum")
