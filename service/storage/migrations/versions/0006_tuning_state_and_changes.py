"""How far a tuning is behind its support set, and what each of the last changes did."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both; tunings that exist are of their support sets. Not in batch mode, as in 0002."""
    op.add_column(
        "classifiers",
        sa.Column("tuning_is_current", sa.Boolean(), nullable=False, server_default=sa.true()),
    )
    op.add_column(
        "classifiers", sa.Column("tuning_since", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "classifiers", sa.Column("images_behind", sa.Integer(), nullable=False, server_default="0")
    )
    op.create_table(
        "changes",
        sa.Column(
            "classifier_id",
            sa.Integer(),
            sa.ForeignKey("classifiers.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("revision", sa.Integer(), primary_key=True),
        sa.Column("followable", sa.Boolean(), nullable=False),
        sa.Column("tuned", sa.Boolean(), nullable=False),
        sa.Column("classes_added", sa.JSON(), nullable=False),
        sa.Column("classes_removed", sa.JSON(), nullable=False),
        sa.Column("support_added", sa.JSON(), nullable=False),
        sa.Column("support_removed", sa.JSON(), nullable=False),
    )


def downgrade() -> None:
    """Drop both. A stale tuning is then told as one of its support set until the next change."""
    op.drop_table("changes")
    op.drop_column("classifiers", "images_behind")
    op.drop_column("classifiers", "tuning_since")
    op.drop_column("classifiers", "tuning_is_current")
