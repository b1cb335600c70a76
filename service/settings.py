"""Every setting, read from the environment as ``HANDFUL_...``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from platformdirs import user_cache_dir
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_MIB = 2**20


class Settings(BaseSettings):
    """Settings of the service; command line options of the same name win over these."""

    model_config = SettingsConfigDict(env_prefix="HANDFUL_", extra="ignore")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    processes: int = Field(
        1,
        ge=1,
        description="Processes that serve the port, each with the encoder: more than one where a"
        " GPU encodes more images than one process can receive.",
    )
    backbone: str = Field(
        "lite",
        description="lite, MODEL/TAG, MODEL/PATH, hf-hub:ORG/REPOSITORY or local-dir:FOLDER.",
    )
    prompts: Path | None = Field(
        None, description="Trained prompts of both towers: handful train comma made them."
    )
    adapter: str | None = Field(
        None,
        description="Trained adapter against overlap, which handful train imo made, or none; lite"
        " has its own by default.",
    )
    device: str | None = Field(None, description="cpu or cuda; the GPU if there is one.")
    runtime: Literal["auto", "eager"] = Field(
        "auto", description="auto compiles the image tower for this processor; eager does not."
    )
    cache_dir: Path = Field(
        Path(user_cache_dir("handful")),
        description="Folder of compiled image towers, for the next start.",
    )
    data_dir: Path = Field(Path("handful-data"), description="Folder of the SQLite database.")
    database_url: str | None = Field(
        None, description="SQLAlchemy URL; handful.db in the data folder by default."
    )
    store_images: bool = Field(
        True,
        description="Keep the uploaded images. Without them, support images cannot be looked at"
        " and a change of backbone needs them registered again.",
    )

    max_image_bytes: int = Field(20 * _MIB, gt=0, description="Largest image file.")
    max_image_pixels: int = Field(50_000_000, gt=0, description="Largest image, in pixels.")
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
    classifier_memory: int = Field(
        512 * _MIB,
        gt=0,
        description="Bytes of classifiers in memory, of all processes together; beyond them the"
        " least recently used are dropped and read from the database when they are asked for.",
    )

    cache_exact_up_to: int = Field(
        20_000,
        gt=0,
        description="Images of a classifier up to which a query is compared with every one.",
    )
    cache_storage: Literal["float32", "float16", "int8"] = Field(
        "float32", description="How the keys of larger caches are kept; less memory, rounded."
    )

    max_batch: int | None = Field(
        None,
        gt=0,
        description="Most images in one pass of the encoder; what suits its runtime by default.",
    )
    decode_threads: int = Field(
        2, gt=0, description="Images that a process decodes at the same time."
    )

    max_waiting: int = Field(
        256,
        gt=0,
        description="Most images that wait to be embedded in a process, of queries and of"
        " registrations each;"
        " what comes then is refused with 503 and told when to come again.",
    )
    predict_seconds: float = Field(
        30, gt=0, description="Longest that a prediction waits for its images to be embedded."
    )

    @property
    def sqlalchemy_url(self) -> str:
        """The database to use."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'handful.db'}"
