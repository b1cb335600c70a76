"""How often a classifier may reject, and how often its prediction sets should hold the class."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both settings; classifiers that exist get the defaults of that time.

    Not in batch mode: it would drop the table on SQLite, and with it what refers to it.
    """
    op.add_column(
        "classifiers",
        sa.Column("false_rejection_rate", sa.Double(), nullable=False, server_default="0.05"),
    )
    op.add_column("classifiers", sa.Column("coverage", sa.Double(), nullable=True))


def downgrade() -> None:
    """Drop both."""
    op.drop_column("classifiers", "coverage")
    op.drop_column("classifiers", "false_rejection_rate")
