"""Which state of a classifier a row is, so that several processes can change it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Count changes from now on. Not in batch mode, as in 0002."""
    op.add_column(
        "classifiers", sa.Column("revision", sa.Integer(), nullable=False, server_default="0")
    )


def downgrade() -> None:
    """Drop the count."""
    op.drop_column("classifiers", "revision")
