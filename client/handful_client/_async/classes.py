"""Classes of a classifier and their images."""

from __future__ import annotations

from handful_client._async.named import AsyncNamed
from handful_client.calls import Call, waiting
from handful_client.models import ClassList, ClassOut, ClassSummary


class AsyncClasses(AsyncNamed):
    """What a classifier consists of."""

    async def classes(self) -> list[ClassSummary]:
        """Its classes, in the order of their registration, with how many images each has."""
        call = Call("GET", self._path("classes"))
        return (await self._transport.model(ClassList, call)).classes

    async def get_class(self, label: str) -> ClassOut:
        """A class with its images."""
        return await self._transport.model(ClassOut, Call("GET", self._path("classes", label)))

    async def put_class(self, label: str, *, wait_tuned: bool = False) -> ClassOut:
        """Declare a class by its name alone; it is then known zero-shot."""
        call = Call("PUT", self._path("classes", label), waiting(wait_tuned), same=True)
        return await self._transport.model(ClassOut, self._changing(call))

    async def delete_class(self, label: str, *, wait_tuned: bool = False) -> None:
        """Delete a class with its images."""
        call = Call("DELETE", self._path("classes", label), waiting(wait_tuned))
        await self._transport.content(self._changing(call))

    async def image(self, label: str, image_id: str) -> bytes:
        """The file of a support image, as it was registered."""
        path = self._path("classes", label, "images", image_id)
        return await self._transport.content(Call("GET", path))

    async def thumbnail(self, image_id: str) -> bytes:
        """A support image made small: a JPEG of 256 pixels a side at most."""
        path = self._path("images", image_id, "thumbnail")
        return await self._transport.content(Call("GET", path))

    async def delete_image(self, label: str, image_id: str, *, wait_tuned: bool = False) -> None:
        """Delete a support image."""
        path = self._path("classes", label, "images", image_id)
        call = Call("DELETE", path, waiting(wait_tuned))
        await self._transport.content(self._changing(call))
