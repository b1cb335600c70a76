"""Which adapter and which prompts a backbone was started with, to name them where they differ."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both; of backbones that were there already they are not known."""
    op.add_column("backbones", sa.Column("adapter", sa.String(4096), nullable=True))
    op.add_column("backbones", sa.Column("prompts", sa.String(4096), nullable=True))


def downgrade() -> None:
    """Drop both."""
    op.drop_column("backbones", "prompts")
    op.drop_column("backbones", "adapter")
