"""Settings of what a request may bring, and of how long it may wait."""

from __future__ import annotations

from pydantic import BaseModel, Field

_MIB = 2**20


class LimitSettings(BaseModel):
    """Settings of what a request may bring, and of how long it may wait."""

    max_image_bytes: int = Field(32 * _MIB, gt=0, description="Largest image file.")
    max_image_pixels: int = Field(64_000_000, gt=0, description="Largest image, in pixels.")
    max_images_per_request: int = Field(2000, gt=0, description="Most images in one request.")
    max_request_bytes: int = Field(256 * _MIB, gt=0, description="Largest request body.")
    max_json_bytes: int = Field(
        _MIB, gt=0, description="Largest body that is neither an image, nor a form or zip."
    )
    max_bytes_in_flight: int = Field(
        512 * _MIB,
        gt=0,
        description="Bytes of request bodies in memory, of all requests of a process together;"
        " what comes then is refused with 503.",
    )
    max_unpacked_bytes: int = Field(1024 * _MIB, gt=0, description="Largest unpacked zip.")
    max_classes: int = Field(10_000, gt=0, description="Most classes in one classifier.")
    max_texts: int = Field(
        20_000,
        gt=0,
        description="Most texts of one classifier, which are its classes times its templates.",
    )
    max_waiting: int = Field(
        256,
        gt=0,
        description="Most images that wait to be embedded in a process, of queries and of"
        " registrations each;"
        " what comes then is refused with 503 and told when to come again.",
    )
    predict_seconds: float = Field(
        30,
        gt=0,
        description="Longest that a prediction waits for its images to be embedded, and a change"
        " with wait=tuned for the tuning.",
    )
