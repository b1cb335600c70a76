"""A move to another recipe while the service runs: how far it is, and the embeddings it makes."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both, empty."""
    op.create_table(
        "re_embedding",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("source", sa.String(64), sa.ForeignKey("backbones.fingerprint"), nullable=False),
        sa.Column("target", sa.String(64), sa.ForeignKey("backbones.fingerprint"), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("going_back", sa.Boolean(), nullable=False),
        sa.Column("arrived", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.Column("worker", sa.String(32), nullable=True),
        sa.Column("beat", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_table(
        "re_embedded",
        sa.Column(
            "image_id",
            sa.Integer(),
            sa.ForeignKey("images.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("views", sa.Integer(), primary_key=True),
        sa.Column(
            "fingerprint", sa.String(64), sa.ForeignKey("backbones.fingerprint"), nullable=False
        ),
        sa.Column("frozen", sa.LargeBinary(), nullable=False),
        sa.Column("corrected", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_re_embedded_fingerprint", "re_embedded", ["fingerprint"])


def downgrade() -> None:
    """Drop both. A database in the middle of a move is to be moved to its end before."""
    op.drop_table("re_embedded")
    op.drop_table("re_embedding")
