"""A classifier of a service: its classes and images, its answers, and what it says of itself."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

from handful_client._async.classes import AsyncClasses
from handful_client._async.history import AsyncHistory
from handful_client._async.inbox import AsyncInbox
from handful_client._async.jobs import AsyncStartingJobs
from handful_client._async.predicting import AsyncPredicting
from handful_client._async.registering import AsyncRegistering
from handful_client._async.reshaping import AsyncReshaping
from handful_client._async.similar import AsyncSimilar
from handful_client.calls import Call, Query, json_call, waiting
from handful_client.models import (
    AdviceOut,
    ClassifierOut,
    ClassifierSettingsIn,
    ConfusedOut,
    LabelsReportOut,
    MapOut,
    NamedImage,
    ReportOut,
)

_PAGE = 500
_FILE_TYPE = "application/vnd.handful.classifier+zip"


class AsyncClassifier(
    AsyncClasses,
    AsyncRegistering,
    AsyncReshaping,
    AsyncPredicting,
    AsyncSimilar,
    AsyncStartingJobs,
    AsyncHistory,
    AsyncInbox,
):
    """One classifier; made by the client's ``classifier``."""

    async def put(
        self, settings: ClassifierSettingsIn | None = None, *, wait_tuned: bool = False
    ) -> ClassifierOut:
        """Create it, or change its settings; classes and images stay.

        Args:
            settings: Those left out take their default.
            wait_tuned: Answer once it is tuned, within a time that the service sets.
        """
        settings = settings or ClassifierSettingsIn()
        document = settings.model_dump(mode="json", exclude_unset=True)
        call = json_call("PUT", self._path(), document, waiting(wait_tuned), same=True)
        return await self._transport.model(ClassifierOut, self._changing(call))

    async def get(self) -> ClassifierOut:
        """Settings, size, and what leave-one-out has set."""
        return await self._transport.model(ClassifierOut, Call("GET", self._path()))

    async def delete(self) -> None:
        """Delete it with all its images."""
        await self._transport.content(self._changing(Call("DELETE", self._path())))

    async def advice(self) -> AdviceOut:
        """Whether there are images enough, which class needs more, and which images can go."""
        return await self._transport.model(AdviceOut, Call("GET", self._path("suggest")))

    async def report(self) -> ReportOut:
        """The classification report: every image named by the others."""
        return await self._transport.model(ReportOut, Call("GET", self._path("report")))

    async def label_report(self) -> LabelsReportOut:
        """How well each label is found, where images may have several."""
        call = Call("GET", self._path("report", "labels"))
        return await self._transport.model(LabelsReportOut, call)

    async def confused(self, label: str, named: str) -> AsyncIterator[NamedImage]:
        """The images of a class that the others name so, the most probable first.

        Args:
            label: The class that they are registered in.
            named: The class that is named, which may be the same.
        """
        cursor: str | None = None
        while True:
            query: Query = {"label": label, "named": named, "limit": _PAGE, "cursor": cursor}
            call = Call("GET", self._path("report", "confused"), query)
            page = await self._transport.model(ConfusedOut, call)
            for one in page.images:
                yield one
            if page.next_cursor is None:
                return
            cursor = page.next_cursor

    async def report_file(self, kind: Literal["html", "png", "svg"] = "html") -> bytes:
        """The report as a page or a picture."""
        return await self._transport.content(Call("GET", self._path(f"report.{kind}")))

    async def map(self) -> MapOut:
        """The images as points of a plane, before the correction and after it."""
        return await self._transport.model(MapOut, Call("GET", self._path("map")))

    async def export(self, file: str | os.PathLike[str], *, images: bool = True) -> Path:
        """Write the classifier as one file; one that is there is replaced.

        Args:
            file: Its path.
            images: Whether the images go along, which another backbone needs.
        """
        path = Path(file)
        await self._transport.save(Call("GET", self._path("export"), {"images": images}), path)
        return path

    async def export_index(self, file: str | os.PathLike[str]) -> Path:
        """Write the keys as an index of FAISS with its labels, in a zip."""
        path = Path(file)
        await self._transport.save(Call("GET", self._path("export.faiss.zip")), path)
        return path

    async def import_file(self, file: str | os.PathLike[str]) -> ClassifierOut:
        """Create the classifier of a file that ``export`` wrote, under this name."""
        path = self._path("import")
        call = Call("PUT", path, file=Path(file), media_type=_FILE_TYPE, same=True)
        return await self._transport.model(ClassifierOut, self._changing(call))
