"""Trained prompts that are chosen for a classifier, and embeddings under them."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and the setting; classifiers that exist have no prompts of their own."""
    op.add_column("classifiers", sa.Column("prompts", sa.String(64), nullable=True))
    op.create_table(
        "trained_prompts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False, server_default=""),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column(
            "fingerprint", sa.String(64), sa.ForeignKey("backbones.fingerprint"), nullable=False
        ),
        sa.Column("described", sa.JSON, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("tenant", "name"),
    )
    op.create_index("ix_trained_prompts_fingerprint", "trained_prompts", ["fingerprint"])
    op.create_table(
        "prompted_embeddings",
        sa.Column(
            "image_id",
            sa.Integer,
            sa.ForeignKey("images.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("views", sa.Integer, primary_key=True),
        sa.Column(
            "fingerprint",
            sa.String(64),
            sa.ForeignKey("backbones.fingerprint"),
            primary_key=True,
        ),
        sa.Column("frozen", sa.LargeBinary, nullable=False),
        sa.Column("corrected", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_prompted_embeddings_fingerprint", "prompted_embeddings", ["fingerprint"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("prompted_embeddings")
    op.drop_table("trained_prompts")
    op.drop_column("classifiers", "prompts")
