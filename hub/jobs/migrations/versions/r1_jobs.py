"""Jobs, their scans, events, volumes and usage."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r1"
down_revision = None
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "scans",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sample", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", sa.Float(precision=53), nullable=False),
        sa.Column("last_seen", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_scans")),
        sa.UniqueConstraint("scope", "path", name=op.f("uq_scans_scope_path")),
    )
    with op.batch_alter_table("scans", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_scans_first_seen"), ["first_seen"], unique=False)
    op.create_table(
        "visits",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("beamline", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visits")),
    )
    with op.batch_alter_table("visits", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_visits_beamline"), ["beamline"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("visit", sa.String(length=64), nullable=True),
        sa.Column("scan_number", NUMBER, nullable=False),
        sa.Column("scan", sa.Text(), nullable=False),
        sa.Column("sample", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("slabs_done", sa.BigInteger(), nullable=False),
        sa.Column("slabs_total", sa.BigInteger(), nullable=False),
        sa.Column("rows_done", sa.BigInteger(), nullable=False),
        sa.Column("rows_total", sa.BigInteger(), nullable=False),
        sa.Column("rows_per_second", sa.Float(precision=53), nullable=True),
        sa.Column("seconds_left", sa.Float(precision=53), nullable=True),
        sa.Column("bytes_written", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.Float(precision=53), nullable=False),
        sa.Column("started", sa.Float(precision=53), nullable=True),
        sa.Column("ended", sa.Float(precision=53), nullable=True),
        sa.Column("updated", sa.Float(precision=53), nullable=True),
        sa.Column("removed", sa.Float(precision=53), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("journal_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["scan_number"], ["scans.number"], name=op.f("fk_jobs_scan_number")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_jobs")),
        sa.UniqueConstraint("owner", "id", name=op.f("uq_jobs_owner_id")),
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_jobs_removed_created_number"), ["removed", "created", "number"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_jobs_revision"), ["revision"], unique=False)
        batch_op.create_index(batch_op.f("ix_jobs_scan_number"), ["scan_number"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_jobs_scope_removed_created_number"), ["scope", "removed", "created", "number"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_jobs_state_removed_created_number"), ["state", "removed", "created", "number"], unique=False
        )
    op.create_table(
        "events",
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("job_number", NUMBER, nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("time", sa.Float(precision=53), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job_number"], ["jobs.number"], name=op.f("fk_events_job_number")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_events")),
        sa.UniqueConstraint("job_number", "place", name=op.f("uq_events_job_number_place")),
    )
    op.create_table(
        "usage",
        sa.Column("job_number", NUMBER, autoincrement=False, nullable=False),
        sa.Column("week", sa.String(length=10), nullable=False),
        sa.Column("wait_seconds", sa.Float(precision=53), nullable=True),
        sa.Column("run_seconds", sa.Float(precision=53), nullable=True),
        sa.Column("compute_ms", sa.BigInteger(), nullable=False),
        sa.Column("drivers", sa.Integer(), nullable=False),
        sa.Column("bytes_in", sa.BigInteger(), nullable=False),
        sa.Column("bytes_out", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_number"], ["jobs.number"], name=op.f("fk_usage_job_number")),
        sa.PrimaryKeyConstraint("job_number", name=op.f("pk_usage")),
    )
    with op.batch_alter_table("usage", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_usage_week"), ["week"], unique=False)
    op.create_table(
        "volumes",
        sa.Column("job_number", NUMBER, autoincrement=False, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("slices", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_number"], ["jobs.number"], name=op.f("fk_volumes_job_number")),
        sa.PrimaryKeyConstraint("job_number", name=op.f("pk_volumes")),
    )


def downgrade() -> None:
    op.drop_table("volumes")
    op.drop_table("usage")
    op.drop_table("events")
    op.drop_table("jobs")
    op.drop_table("visits")
    op.drop_table("scans")
