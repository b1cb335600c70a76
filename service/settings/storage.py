"""Settings of the database, and of what is kept in it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, field_validator

from service.settings.image_location import checked_location


class StorageSettings(BaseModel):
    """Settings of the database, and of what is kept in it."""

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
    images: str | None = Field(
        None,
        description="Where the bytes of images go: a folder (file:///PATH), or a bucket"
        " (s3://BUCKET/PREFIX, gs://, az://; handful[buckets]); the database by default.",
    )
    images_grace_hours: float = Field(
        24,
        gt=0,
        description="How long a folder or bucket keeps the bytes of an image that is gone.",
    )
    check_hours: float = Field(
        24,
        ge=0,
        description="How often all that is stored is looked at for damage; 0: never.",
    )
    history_days: float = Field(
        7,
        ge=0,
        description="How long what a change has removed can be brought back; 0: not at all.",
    )

    @field_validator("images")
    @classmethod
    def _place_of_images(cls, value: str | None) -> str | None:
        return None if not value else checked_location(value)

    @property
    def sqlalchemy_url(self) -> str:
        """The database to use."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'handful.db'}"
