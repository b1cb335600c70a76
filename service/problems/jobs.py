"""Problems of jobs, and of predictions that are remembered."""

from __future__ import annotations

from fastapi_problem.error import StatusProblem

from service.tenancy import bare


class RememberedNotFound(StatusProblem):
    """No query of that id is in the inbox: it was judged, or forgotten, or never there."""

    type_ = "not-in-the-inbox"
    title = "There is nothing of that id in the inbox"
    status = 404

    def __init__(self, classifier: str, public_id: str) -> None:
        name = bare(classifier)
        super().__init__(
            f"The inbox of classifier {name!r} has nothing of the id {public_id!r}: it was judged "
            f"already, or forgotten. GET /v1/classifiers/{name}/inbox lists what it has."
        )


class JobNotFound(StatusProblem):
    """No job of that id."""

    type_ = "job-not-found"
    title = "There is no such job"
    status = 404

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"There is no job {job_id!r}. Jobs that have ended are removed after some days "
            "(HANDFUL_JOB_HOURS). GET /v1/jobs lists those that there are."
        )


class JobElsewhere(StatusProblem):
    """Results that lie on another machine of the service."""

    type_ = "job-elsewhere"
    title = "The results of the job lie on another machine"
    status = 409


class FolderNotAllowed(StatusProblem):
    """A folder of the machine that no job may read."""

    type_ = "folder-not-allowed"
    title = "That folder may not be read"
    status = 403


class TooManyJobs(StatusProblem):
    """No more jobs are taken until others have ended or are deleted."""

    type_ = "too-many-jobs"
    title = "There are too many jobs"
    status = 503

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"retry-after": "60"})
