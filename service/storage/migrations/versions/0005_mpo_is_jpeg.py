"""Multi-picture files are JPEGs, and are served as such."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Correct what older versions wrote."""
    op.execute("UPDATE images SET media_type = 'image/jpeg' WHERE media_type = 'image/mpo'")


def downgrade() -> None:
    """Nothing: a JPEG may be called one by any version."""
