"""Classifiers whose images may have several labels."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the setting and what answers had; classifiers that exist have one label an image."""
    op.add_column(
        "classifiers",
        sa.Column("multi_label", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("remembered", sa.Column("labels", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("remembered", "labels")
    op.drop_column("classifiers", "multi_label")
