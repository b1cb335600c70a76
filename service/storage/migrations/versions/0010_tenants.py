"""Tenants: who owns a classifier, and names and contents that are unique within each of them."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What exists is the default tenant's, whose names and digests are written as ever.

    Not in batch mode, as in 0002; SQLite does not mind how long a name is.
    """
    op.add_column(
        "classifiers", sa.Column("tenant", sa.String(64), nullable=False, server_default="")
    )
    op.create_index("ix_classifiers_tenant", "classifiers", ["tenant"])
    op.execute("ALTER TABLE images RENAME COLUMN sha256 TO content_key")
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("classifiers", "name", type_=sa.String(129))
        op.alter_column("images", "content_key", type_=sa.String(129))


def downgrade() -> None:
    """Go back, with the default tenant alone: delete what others own before."""
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("images", "content_key", type_=sa.String(64))
        op.alter_column("classifiers", "name", type_=sa.String(64))
    op.execute("ALTER TABLE images RENAME COLUMN content_key TO sha256")
    op.drop_index("ix_classifiers_tenant", "classifiers")
    op.drop_column("classifiers", "tenant")
