"""Every setting, read from the environment as ``HANDFUL_...``."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Self

from platformdirs import user_cache_dir
from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from service.access.limits import LEAST_PER_SECOND, TenantLimits
from service.environment import Environment
from service.fetching.sources import Sources
from service.folders import Folders
from service.hosts import Addresses, Hosts, Origins

_MIB = 2**20


class Settings(BaseSettings):
    """Settings of the service; command line options of the same name win over these."""

    model_config = SettingsConfigDict(env_prefix="HANDFUL_", extra="ignore")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    root_path: str = Field(
        "", description="Path under which a reverse proxy shows the service, such as /handful."
    )
    auth: Literal["none", "keys", "proxy"] = Field(
        "none",
        description="Whom the service answers: everybody; who sends a key (handful keys create); or"
        " whom a proxy of trusted_proxies has signed in, as its X-Forwarded-User says.",
    )
    history_days: float = Field(
        7,
        ge=0,
        description="How long what a change has removed can be brought back; 0: not at all.",
    )
    audit_days: float = Field(
        90,
        ge=0,
        le=36_500,
        description="Days that entries of the audit log are kept; 0 for no log. There is one where"
        " auth is not none.",
    )
    tenant_requests_per_second: float | None = Field(
        None,
        ge=LEAST_PER_SECOND,
        description="Most requests a second of a tenant that was given no other limit.",
    )
    tenant_images_per_second: float | None = Field(
        None, ge=LEAST_PER_SECOND, description="Most images a second in them, likewise."
    )
    tenant_classifiers: int | None = Field(
        None, gt=0, description="Most classifiers of a tenant that was given no other limit."
    )
    tenant_classes: int | None = Field(None, gt=0, description="Most classes in all of them.")
    tenant_images: int | None = Field(None, gt=0, description="Most support images in all of them.")
    tenant_bytes: int | None = Field(
        None, gt=0, description="Most bytes of these images, as they were uploaded."
    )
    trusted_proxies: Addresses = Field(
        [],
        description="Addresses and networks of reverse proxies whose X-Forwarded-For and"
        " X-Forwarded-Proto are believed, separated by commas; * for all.",
    )
    cors_origins: Origins = Field(
        [],
        description="Origins whose web pages may use the service, such as"
        " https://app.example.com, separated by commas; * for all.",
    )
    allowed_hosts: Hosts = Field(
        [],
        description="Host names that requests may be sent to, separated by commas;"
        " *.example.com for all below. By default any, but only localhost where host is that.",
    )
    max_connections: int = Field(
        4096,
        gt=0,
        description="Most connections of a process; beyond them the one is closed that has waited"
        " longest without a complete request.",
    )
    max_head_bytes: int = Field(
        64 * 1024, ge=1024, description="Largest request line with its header fields."
    )
    head_seconds: float = Field(
        20, gt=0, description="Longest that a client may take to send a request's head."
    )
    stall_seconds: float = Field(
        20, gt=0, description="Longest that a request's body or the reader of an answer may pause."
    )
    min_bytes_per_second: float = Field(
        500, gt=0, description="Least speed of a body or an answer on its way, on average."
    )
    keep_alive_seconds: float = Field(
        75, gt=0, description="Longest that a connection stays open without a request."
    )
    shutdown_seconds: float = Field(
        25,
        gt=0,
        description="Longest from SIGTERM to the end; what is not answered by then is cut off.",
    )
    processes: int = Field(
        1,
        ge=1,
        description="Processes that serve the port, before one encoder process a GPU: more than one"
        " where a GPU encodes more images than one process can receive.",
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
    precision: Literal["auto", "float32", "bfloat16", "int8"] = Field(
        "auto",
        description="Number format of the image tower: the quickest that keeps few-shot accuracy"
        " by default. A database keeps the one that it was made with.",
    )
    cache_dir: Path = Field(
        Path(user_cache_dir("handful")),
        description="Folder of compiled image towers, for the next start.",
    )
    data_dir: Path = Field(Path("handful-data"), description="Folder of the SQLite database.")
    database_url: str | None = Field(
        None, description="SQLAlchemy URL; handful.db in the data folder by default."
    )
    database_seconds: float = Field(
        10,
        gt=0,
        description="Longest that a request waits for the database: for a lock, a connection.",
    )
    store_images: bool = Field(
        True,
        description="Keep the uploaded images. Without them, support images cannot be looked at"
        " and a change of backbone needs them registered again.",
    )

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
    classifier_memory: int = Field(
        512 * _MIB,
        gt=0,
        description="Bytes of classifiers in memory, of all processes together; beyond them the"
        " least recently used are dropped and read from the database when they are asked for.",
    )

    fetch_from: Sources = Field(
        [],
        description="Hosts that images may be fetched from which are given by URL, separated by"
        " commas: images.example.com, *.example.com, images.example.com:8443,"
        " http://images.example.com; none by default.",
    )
    fetch_seconds: float = Field(
        10, gt=0, description="Longest that fetching the images of a request may take."
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
        30,
        gt=0,
        description="Longest that a prediction waits for its images to be embedded, and a change"
        " with wait=tuned for the tuning.",
    )
    tuning_share: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Share of one core that a process tunes classifiers with after their changes.",
    )

    job_folders: Folders = Field(
        [],
        description="Folders of this machine whose images jobs may read, with all below them,"
        " separated by commas. None by default: then jobs take zips only.",
    )
    max_jobs: int = Field(
        100, gt=0, description="Most jobs of a tenant that are queued or running."
    )
    max_job_images: int = Field(50_000, gt=0, description="Most images of one job.")
    max_job_bytes: int = Field(2048 * _MIB, gt=0, description="Largest zip of a job.")
    max_jobs_bytes: int = Field(
        8192 * _MIB,
        gt=0,
        description="Bytes on the disk of the zips and results of all jobs of a tenant.",
    )
    job_hours: float = Field(
        72, gt=0, description="Hours for which a job that has ended keeps its results."
    )

    @field_validator("precision")
    @classmethod
    def _can_be_made(cls, precision: str) -> str:
        """Before anything is done."""
        if precision == "int8" and find_spec("nncf") is None:
            raise ValueError("int8 needs NNCF; install it with: pip install 'handful[int8]'")
        return precision

    @model_validator(mode="after")
    def _proxies_that_sign_in(self) -> Self:
        """Nobody could be believed otherwise."""
        if self.auth == "proxy" and not self.trusted_proxies:
            raise ValueError(
                "HANDFUL_AUTH=proxy needs the addresses of the proxy in HANDFUL_TRUSTED_PROXIES,"
                " such as 127.0.0.1"
            )
        return self

    @field_validator("fetch_from")
    @classmethod
    def _can_fetch(cls, fetch_from: list[str]) -> list[str]:
        """Before anything is done."""
        if fetch_from and find_spec("httpx2") is None:
            raise ValueError(
                "fetching images needs HTTPX; install it with: pip install 'handful[fetch]'"
            )
        return fetch_from

    @field_validator("root_path")
    @classmethod
    def _a_path(cls, root_path: str) -> str:
        """With a slash before and none behind, as ASGI has it."""
        stripped = root_path.strip("/")
        if stripped.partition("/")[0] == "v1" or not re.fullmatch(r"[\w.~/-]*", stripped, re.A):
            raise ValueError(
                "write a path such as /handful, of letters, digits and -._~; not /v1, which is"
                " the service's own"
            )
        return f"/{stripped}" if stripped else ""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given to the constructor, then the environment."""
        return init_settings, Environment(settings_cls)

    @property
    def tenant_limits(self) -> TenantLimits:
        """Limits of tenants that were given none."""
        return TenantLimits(
            requests_per_second=self.tenant_requests_per_second,
            images_per_second=self.tenant_images_per_second,
            classifiers=self.tenant_classifiers,
            classes=self.tenant_classes,
            images=self.tenant_images,
            bytes=self.tenant_bytes,
        )

    @property
    def sqlalchemy_url(self) -> str:
        """The database to use."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'handful.db'}"
