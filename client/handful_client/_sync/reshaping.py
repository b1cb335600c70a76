"""Classifiers copied, renamed and merged; classes and images moved; notes and metadata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from handful_client._sync.named import Named
from handful_client.calls import Call, json_call, waiting
from handful_client.models import Annotations, ClassifierOut, DeletedOut, MovedOut


class Reshaping(Named):
    """What puts a classifier into another order, without new images."""

    def copy(self, to: str) -> Self:
        """Copy it under another name; returns the copy."""
        return self._named(to, "copy")

    def rename(self, to: str) -> Self:
        """Give it another name; returns the classifier of that name."""
        return self._named(to, "rename")

    def merge(self, other: str, *, wait_tuned: bool = False) -> MovedOut:
        """Take over classes and images of another classifier, which stays.

        Args:
            other: Its name.
            wait_tuned: Answer once this one is tuned, within a time that the service sets.
        """
        document = {"from": other}
        call = json_call("POST", self._path("merge"), document, waiting(wait_tuned))
        return self._transport.model(MovedOut, self._changing(call))

    def rename_class(self, label: str, to: str, *, wait_tuned: bool = False) -> None:
        """Give a class another label."""
        path = self._path("classes", label, "rename")
        call = json_call("POST", path, {"to": to}, waiting(wait_tuned))
        self._transport.content(self._changing(call))

    def merge_classes(
        self, label: str, others: Sequence[str], *, wait_tuned: bool = False
    ) -> MovedOut:
        """Move the images of other classes to one, and delete those classes.

        Args:
            label: Of the class that stays.
            others: Labels of the others.
            wait_tuned: Answer once it is tuned, within a time that the service sets.
        """
        path = self._path("classes", label, "merge")
        call = json_call("POST", path, {"from": list(others)}, waiting(wait_tuned))
        return self._transport.model(MovedOut, self._changing(call))

    def move_images(
        self, image_ids: Sequence[str], to: str, *, wait_tuned: bool = False
    ) -> MovedOut:
        """Move images, of whichever classes they are, to one class.

        Args:
            image_ids: Their ids.
            to: The label of the class.
            wait_tuned: Answer once it is tuned, within a time that the service sets.
        """
        document = {"images": list(image_ids), "to": to}
        call = json_call("POST", self._path("images", "move"), document, waiting(wait_tuned))
        return self._transport.model(MovedOut, self._changing(call))

    def delete_images(self, image_ids: Sequence[str], *, wait_tuned: bool = False) -> int:
        """Delete images, of whichever classes they are; returns how many there were."""
        document = {"images": list(image_ids)}
        call = json_call("POST", self._path("images", "delete"), document, waiting(wait_tuned))
        return (self._transport.model(DeletedOut, self._changing(call))).deleted

    def annotations(self, label: str | None = None, image_id: str | None = None) -> Annotations:
        """Notes and metadata of the classifier, of a class, or of an image of a class."""
        call = Call("GET", self._annotated(label, image_id))
        return self._transport.model(Annotations, call)

    def annotate(
        self, annotations: Annotations, label: str | None = None, image_id: str | None = None
    ) -> None:
        """Write notes and metadata, in place of what is there.

        Args:
            annotations: Those left out are empty.
            label: Of a class, rather than of the classifier.
            image_id: Of an image of that class.
        """
        document = annotations.model_dump(exclude_unset=True)
        call = json_call("PUT", self._annotated(label, image_id), document, same=True)
        self._transport.content(self._changing(call))

    def _named(self, to: str, verb: str) -> Self:
        call = json_call("POST", self._path(verb), {"to": to})
        self._transport.model(ClassifierOut, self._changing(call))
        return type(self)(self._transport, to)

    def _annotated(self, label: str | None, image_id: str | None) -> tuple[str, ...]:
        if image_id is not None and label is None:
            raise TypeError("an image is named by its class and its id: give the label, too")
        of_class = () if label is None else ("classes", label)
        of_image = () if image_id is None else ("images", image_id)
        return self._path(*of_class, *of_image, "annotations")
