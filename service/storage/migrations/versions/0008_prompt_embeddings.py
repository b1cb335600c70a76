"""Embeddings of prompts, so that a class name is embedded once."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add an empty cache."""
    op.create_table(
        "prompt_embeddings",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("key", sa.String(64), nullable=False, unique=True),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.Column("embedding", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_prompt_embeddings_used_at", "prompt_embeddings", ["used_at"])


def downgrade() -> None:
    """Drop it: nothing rests on it."""
    op.drop_table("prompt_embeddings")
