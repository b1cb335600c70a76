"""A counter of changes that later tunings leave as it is; notes and metadata."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Begin to count with what exists, which has no notes. Not in batch mode, as in 0002."""
    op.add_column(
        "classifiers",
        sa.Column("content_revision", sa.Integer(), nullable=False, server_default="0"),
    )
    for table in ("classifiers", "classes", "support"):
        op.add_column(table, sa.Column("annotations", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    for table in ("support", "classes", "classifiers"):
        op.drop_column(table, "annotations")
    op.drop_column("classifiers", "content_revision")
