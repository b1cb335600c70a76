"""Settings of jobs: folders, sizes, how long results stay."""

from __future__ import annotations

from pydantic import BaseModel, Field

from service.folders import Folders

_MIB = 2**20


class JobSettings(BaseModel):
    """Settings of jobs: folders, sizes, how long results stay."""

    job_folders: Folders = Field(
        [],
        description="Folders of this machine whose images jobs may read, with all below them,"
        " separated by commas. None by default: then jobs take zips only.",
    )
    max_jobs: int = Field(
        100, gt=0, description="Most jobs of a tenant that are queued or running."
    )
    max_job_images: int = Field(50_000, gt=0, description="Most images of one job.")
    max_job_bytes: int = Field(2048 * _MIB, gt=0, description="Largest zip of a job.")
    max_jobs_bytes: int = Field(
        8192 * _MIB,
        gt=0,
        description="Bytes on the disk of the zips and results of all jobs of a tenant.",
    )
    job_hours: float = Field(
        72, gt=0, description="Hours for which a job that has ended keeps its results."
    )
