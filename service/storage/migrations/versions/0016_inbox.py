"""Predictions that are remembered, and what became of them."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both, empty; classifiers that exist remember nothing."""
    moment = sa.DateTime(timezone=True)
    op.add_column(
        "classifiers", sa.Column("remember", sa.String(16), nullable=False, server_default="none")
    )
    op.add_column(
        "classifiers",
        sa.Column("remember_most", sa.Integer(), nullable=False, server_default="1000"),
    )
    op.add_column(
        "classifiers", sa.Column("remember_days", sa.Double(), nullable=False, server_default="30")
    )
    op.create_table(
        "remembered",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("public_id", sa.String(32), nullable=False, unique=True),
        sa.Column(
            "classifier_id",
            sa.Integer(),
            sa.ForeignKey("classifiers.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("why", sa.String(16), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("media_type", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("frozen", sa.LargeBinary(), nullable=False),
        sa.Column("corrected", sa.LargeBinary(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(255), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("p_value", sa.Double(), nullable=True),
        sa.Column("prediction_set", sa.JSON(), nullable=True),
        sa.Column("candidates", sa.JSON(), nullable=False),
        sa.UniqueConstraint("classifier_id", "sha256"),
    )
    op.create_index("ix_remembered_asked", "remembered", ["classifier_id", "asked_at", "size"])
    op.create_table(
        "remembered_contents",
        sa.Column(
            "remembered_id",
            sa.Integer(),
            sa.ForeignKey("remembered.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "verdicts",
        sa.Column("public_id", sa.String(32), primary_key=True),
        sa.Column(
            "classifier_id",
            sa.Integer(),
            sa.ForeignKey("classifiers.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("judged_at", moment, nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("answered", sa.String(255), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("label", sa.String(255), nullable=True),
        sa.Column("right", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_verdicts_asked", "verdicts", ["classifier_id", "asked_at"])


def downgrade() -> None:
    """Drop both, and the settings."""
    for table in ("verdicts", "remembered_contents", "remembered"):
        op.drop_table(table)
    for column in ("remember_days", "remember_most", "remember"):
        op.drop_column("classifiers", column)
