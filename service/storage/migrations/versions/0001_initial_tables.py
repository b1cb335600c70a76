"""Initial tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "backbones",
        sa.Column("fingerprint", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
    )
    op.create_table(
        "classifiers",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("method", sa.String(32), nullable=False),
        sa.Column("templates", sa.JSON(), nullable=False),
        sa.Column("names_carry_meaning", sa.Boolean(), nullable=False),
        sa.Column(
            "fingerprint", sa.String(64), sa.ForeignKey("backbones.fingerprint"), nullable=False
        ),
        sa.Column("tuning", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "images",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("media_type", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column(
            "fingerprint", sa.String(64), sa.ForeignKey("backbones.fingerprint"), nullable=False
        ),
        sa.Column("frozen", sa.LargeBinary(), nullable=False),
        sa.Column("corrected", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_images_fingerprint", "images", ["fingerprint"])
    op.create_table(
        "classes",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column(
            "classifier_id",
            sa.Integer(),
            sa.ForeignKey("classifiers.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("label", sa.String(255), nullable=False),
        sa.Column("text_embedding", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("classifier_id", "label"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "image_contents",
        sa.Column(
            "image_id",
            sa.Integer(),
            sa.ForeignKey("images.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "support",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("public_id", sa.String(32), nullable=False, unique=True),
        sa.Column(
            "class_id",
            sa.Integer(),
            sa.ForeignKey("classes.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("image_id", sa.Integer(), sa.ForeignKey("images.id"), nullable=False),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("class_id", "image_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_support_image_id", "support", ["image_id"])


def downgrade() -> None:
    """Drop all tables."""
    for table in ("support", "image_contents", "classes", "images", "classifiers", "backbones"):
        op.drop_table(table)
