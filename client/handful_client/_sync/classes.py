"""Classes of a classifier and their images."""

from __future__ import annotations

from handful_client._sync.named import Named
from handful_client.calls import Call, waiting
from handful_client.models import ClassList, ClassOut, ClassSummary


class Classes(Named):
    """What a classifier consists of."""

    def classes(self) -> list[ClassSummary]:
        """Its classes, in the order of their registration, with how many images each has."""
        call = Call("GET", self._path("classes"))
        return (self._transport.model(ClassList, call)).classes

    def get_class(self, label: str) -> ClassOut:
        """A class with its images."""
        return self._transport.model(ClassOut, Call("GET", self._path("classes", label)))

    def put_class(self, label: str, *, wait_tuned: bool = False) -> ClassOut:
        """Declare a class by its name alone; it is then known zero-shot."""
        call = Call("PUT", self._path("classes", label), waiting(wait_tuned), same=True)
        return self._transport.model(ClassOut, self._changing(call))

    def delete_class(self, label: str, *, wait_tuned: bool = False) -> None:
        """Delete a class with its images."""
        call = Call("DELETE", self._path("classes", label), waiting(wait_tuned))
        self._transport.content(self._changing(call))

    def image(self, label: str, image_id: str) -> bytes:
        """The file of a support image, as it was registered."""
        path = self._path("classes", label, "images", image_id)
        return self._transport.content(Call("GET", path))

    def thumbnail(self, image_id: str) -> bytes:
        """A support image made small: a JPEG of 256 pixels a side at most."""
        path = self._path("images", image_id, "thumbnail")
        return self._transport.content(Call("GET", path))

    def delete_image(self, label: str, image_id: str, *, wait_tuned: bool = False) -> None:
        """Delete a support image."""
        path = self._path("classes", label, "images", image_id)
        call = Call("DELETE", path, waiting(wait_tuned))
        self._transport.content(self._changing(call))
