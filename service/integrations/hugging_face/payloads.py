"""Bodies of requests: the bytes of an image, or JSON with the image in base64 and parameters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from starlette.requests import Request

from service.api.json_documents import LongString, refusal
from service.api.json_images.items import Item, Remote
from service.api.json_images.reading import is_json, read_model, uploaded
from service.api.predicting import CANDIDATES, MOST_CANDIDATES
from service.api.schemas.embeddings import Template
from service.api.schemas.images import Base64, ShortText, Strict
from service.api.uploads.bodies import body_of, media_type_of
from service.api.uploads.image_uploads import bare_image
from service.problems import UnsupportedMediaType
from service.settings import Settings

# As many as candidates of an answer; each costs a row, and the first time a pass of the text tower.
MOST_LABELS = MOST_CANDIDATES
# Characters of a label, as of a class's.
_LONGEST_LABEL = 255
_TEXT = r"^[^\x00]*$"

CandidateLabel = Annotated[
    str, ShortText, Field(min_length=1, max_length=_LONGEST_LABEL, pattern=_TEXT)
]


class Parameters(Strict):
    """Parameters of both tasks; null is as if one were left out."""

    top_k: Annotated[int, Field(ge=1, le=MOST_CANDIDATES)] | None = None
    function_to_apply: Literal["softmax", "sigmoid", "none"] | None = None
    candidate_labels: Annotated[list[CandidateLabel], Field(max_length=MOST_LABELS)] | None = None
    hypothesis_template: Template | None = None

    @property
    def candidates(self) -> int:
        """How many labels are wanted."""
        return CANDIDATES if self.top_k is None else self.top_k


class Payload(Strict):
    """A body of JSON; what else clients put beside these is for other servers."""

    model_config = ConfigDict(extra="ignore")

    inputs: Base64
    parameters: Parameters | None = None


async def read_payload(request: Request, settings: Settings) -> tuple[Item, Parameters]:
    """The image of a request, and its parameters.

    Raises:
        UnsupportedMediaType: The body is a form.
        EmptyUpload: There is none.
        InvalidRequest: It is not as described; says where.
        RequestTooLarge: It has too many values.
    """
    if is_json(request):
        payload = await read_model(request, Payload)
        return _item(payload.inputs, settings), payload.parameters or Parameters()
    if media_type_of(request).startswith("multipart/"):
        raise UnsupportedMediaType(
            "The body is a form. Send the bytes of one image, or JSON with them in base64:"
            ' {"inputs": "...", "parameters": {"top_k": 5}}.'
        )
    [image] = bare_image(await body_of(request))
    return image, Parameters()


def _item(given: str | LongString, settings: Settings) -> Item:
    begin = given.beginning() if isinstance(given, LongString) else given
    if not begin.lower().startswith(("http:", "https:")):
        return uploaded(given, "", ("inputs",), settings)
    try:
        return Remote(given.text() if isinstance(given, LongString) else given, "", ("inputs",))
    except ValueError as error:
        raise refusal([(("inputs",), str(error))]) from error
