"""Support views: a setting of classifiers, and the embeddings of their images under it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both; classifiers that exist look at each image itself. Not in batch mode, as in 0002."""
    op.add_column(
        "classifiers", sa.Column("support_views", sa.Integer(), nullable=False, server_default="1")
    )
    op.create_table(
        "image_views",
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
    op.create_index("ix_image_views_fingerprint", "image_views", ["fingerprint"])


def downgrade() -> None:
    """Drop both. Classifiers of several views compare with the images themselves from then on.

    Their tunings are of the views until the next change. An image that came in a classifier's
    file, whose own embedding nobody knows, gets that of its views.
    """
    op.execute(
        """
        UPDATE images SET
            frozen = (SELECT v.frozen FROM image_views v WHERE v.image_id = images.id
                      ORDER BY v.views LIMIT 1),
            corrected = (SELECT v.corrected FROM image_views v WHERE v.image_id = images.id
                         ORDER BY v.views LIMIT 1)
        WHERE length(frozen) = 0
          AND EXISTS (SELECT 1 FROM image_views v WHERE v.image_id = images.id)
        """
    )
    op.drop_table("image_views")
    op.drop_column("classifiers", "support_views")
