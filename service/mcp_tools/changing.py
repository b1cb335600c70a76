"""Tools that change classifiers: examples, and undo. Nothing is removed but by undoing."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult
from pydantic import Field

from service.mcp_tools.answers import Registered, Registration, Undone, answered
from service.mcp_tools.arguments import AnyImage, Call, ClassifierName, Label
from service.mcp_tools.calling import Tools
from service.mcp_tools.given_images import GivenImages

MOST_EXAMPLES = 64


class ChangingTools(Tools):
    """Tools that need a key which may write."""

    async def add_examples(
        self,
        call: Call,
        classifier: ClassifierName,
        label: Label,
        images: Annotated[
            list[AnyImage],
            Field(min_length=1, max_length=MOST_EXAMPLES, description="Images of this class."),
        ],
    ) -> Annotated[CallToolResult, Registration]:
        """Register images as examples of a class; the next answer is by them.

        A class or a classifier that is not there is created. An image that is registered already
        stays as it is. `undo` takes the examples back.
        """
        given = GivenImages(images, self.local, MOST_EXAMPLES)
        async with self.classifier(call, classifier) as asked:
            told = await asked.register(label, given.to_send())
        became = [
            Registered(image=at.name, image_id=one.id, status=one.status)
            for at, one in zip(given.all, told.images, strict=True)
        ]
        return answered(
            Registration(
                classifier=classifier,
                label=label,
                created=told.created,
                duplicates=told.duplicates,
                images=became,
            )
        )

    async def undo(
        self,
        call: Call,
        classifier: ClassifierName,
        to_revision: Annotated[
            int | None,
            Field(
                ge=0,
                description="A revision of `history` to bring back; without it, the last change is"
                " undone, even if that was an undo.",
            ),
        ] = None,
    ) -> Annotated[CallToolResult, Undone]:
        """Bring back what a classifier was before its last change, or at a revision.

        It is one more change: it can be undone in turn.
        """
        async with self.classifier(call, classifier) as asked:
            unchanged = asked.if_match(await asked.tag())
            if to_revision is None:
                changes = asked.history()
                last = await anext(aiter(changes), None)
                if last is None:
                    raise ToolError(f"Nothing of {classifier!r} can be undone.")
                to_revision = last.revision - 1
            told = await unchanged.revert(to_revision)
        return answered(
            Undone(
                classifier=classifier,
                restored_revision=to_revision,
                n_classes=told.n_classes,
                n_images=told.n_images,
            )
        )
