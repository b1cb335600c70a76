"""Requests of PhotoPrism: ``ApiRequest`` of its ``internal/ai/vision``, with images as data."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from service.api.json_documents import LongString, refusal
from service.api.json_images.reading import uploaded
from service.api.uploads.image_uploads import check_count
from service.images.uploaded import UploadedImage
from service.settings import Settings

_DATA = "data:"
_MEND = (
    "is no data URI, and nothing is fetched for PhotoPrism: write FileScheme: data and"
    " RequestFormat: vision for this service in vision.yml"
)


def _string(value: Any) -> Any:
    if isinstance(value, str | LongString):
        return value
    raise PydanticCustomError("string_type", "is no string")


class VisionRequest(BaseModel):
    """What is read of a request; the rest is for language models, and does not matter here.

    Attributes:
        id: That the answer repeats.
        images: Data URIs, each a string or a ``LongString``, which is not looked at yet.
        url: Of an image, in another format of requests than this service is asked in.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    id: str = Field("", max_length=255)
    images: list[Annotated[Any, BeforeValidator(_string)]] = []
    url: Annotated[Any, BeforeValidator(_string)] = ""

    def uploads(self, settings: Settings) -> list[UploadedImage]:
        """The images, one or more, decoded when they are read.

        Raises:
            InvalidRequest: There is none, or one is given by something else than its data.
            RequestTooLarge: There are too many.
        """
        if len(self.url):
            raise refusal([(("url",), _MEND)])
        if not self.images:
            raise refusal([(("images",), "has no image; send data URIs")])
        check_count(len(self.images), settings)
        places = [("images", place) for place in range(len(self.images))]
        strange = [
            (place, _MEND)
            for place, image in zip(places, self.images, strict=True)
            if not _beginning(image).lower().startswith(_DATA)
        ]
        if strange:
            raise refusal([*strange])
        return [
            uploaded(image, "", place, settings)
            for place, image in zip(places, self.images, strict=True)
        ]


def _beginning(image: str | LongString) -> str:
    return image.beginning() if isinstance(image, LongString) else image[:16]
