"""What classifiers are to learn of Label Studio's annotations, and have learnt."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it, nothing."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "label_studio_annotations",
        _classifier(),
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("annotation", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("task", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", moment, nullable=True),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("image", sa.Text(), nullable=True),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("told_by", sa.JSON(), nullable=True),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("due_at", moment, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
    )
    op.create_index("ix_label_studio_annotations_due_at", "label_studio_annotations", ["due_at"])
    op.create_table(
        "label_studio_held",
        _classifier(),
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("label", sa.String(255), primary_key=True),
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("annotation", sa.BigInteger(), primary_key=True, autoincrement=False),
    )
    op.create_index(
        "ix_label_studio_held_annotation",
        "label_studio_held",
        ["classifier_id", "project", "annotation"],
    )
    op.create_table(
        "label_studio_learnt",
        _classifier(),
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("label", sa.String(255), primary_key=True),
        sa.Column("public_id", sa.String(32), nullable=False),
    )


def downgrade() -> None:
    """Drop it; images stay in their classifiers."""
    for table in ("learnt", "held", "annotations"):
        op.drop_table(f"label_studio_{table}")


def _classifier() -> sa.Column[int]:
    return sa.Column(
        "classifier_id",
        sa.Integer(),
        sa.ForeignKey("classifiers.id", ondelete="CASCADE"),
        primary_key=True,
    )
