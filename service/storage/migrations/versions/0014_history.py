"""What support sets were: a history of changes, and what they removed, for a while."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0016"
branch_labels = None
depends_on = None


def _moment(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _classifier() -> sa.Column[Any]:
    return sa.Column(
        "classifier_id",
        sa.Integer(),
        sa.ForeignKey("classifiers.id", ondelete="CASCADE"),
        nullable=False,
    )


def upgrade() -> None:
    """Add the tables; what exists has been there from the beginning."""
    for table in ("classes", "support"):
        op.add_column(
            table, sa.Column("since_revision", sa.Integer(), nullable=False, server_default="0")
        )
    op.create_table(
        "history",
        sa.Column(
            "classifier_id",
            sa.Integer(),
            sa.ForeignKey("classifiers.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("revision", sa.Integer(), primary_key=True),
        _moment("at"),
        sa.Column("key_id", sa.String(16), nullable=True),
        sa.Column("changed", sa.JSON(), nullable=False),
        sa.Column("settings_before", sa.JSON(), nullable=True),
    )
    op.create_index("ix_history_at", "history", ["at"])
    op.create_table(
        "archived_classes",
        sa.Column("id", sa.Integer(), primary_key=True),
        _classifier(),
        sa.Column("class_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(255), nullable=False),
        sa.Column("annotations", sa.JSON(), nullable=True),
        _moment("created_at"),
        sa.Column("since_revision", sa.Integer(), nullable=False),
        sa.Column("until_revision", sa.Integer(), nullable=False),
    )
    op.create_index("ix_archived_classes_classifier_id", "archived_classes", ["classifier_id"])
    op.create_table(
        "archived_support",
        sa.Column("id", sa.Integer(), primary_key=True),
        _classifier(),
        sa.Column("public_id", sa.String(32), nullable=False),
        sa.Column("class_id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), sa.ForeignKey("images.id"), nullable=False),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("annotations", sa.JSON(), nullable=True),
        _moment("created_at"),
        sa.Column("since_revision", sa.Integer(), nullable=False),
        sa.Column("until_revision", sa.Integer(), nullable=False),
    )
    op.create_index("ix_archived_support_classifier_id", "archived_support", ["classifier_id"])
    op.create_index("ix_archived_support_image_id", "archived_support", ["image_id"])


def downgrade() -> None:
    """Drop them; images that only the archive has are to be forgotten before."""
    op.drop_table("archived_support")
    op.drop_table("archived_classes")
    op.drop_table("history")
    for table in ("support", "classes"):
        op.drop_column(table, "since_revision")
