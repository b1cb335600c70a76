"""Client of Handful: few-shot image classification over HTTP.

with Client("http://localhost:8000") as client:
    textures = client.classifier("textures").add("brick", ["brick-1.jpg", "brick-2.jpg"])
    textures.add("grass", "photos/grass")
    print(textures.predict("query.jpg").label)
"""

from __future__ import annotations

from handful_client import models
from handful_client._async.classifier import AsyncClassifier
from handful_client._async.client import AsyncClient
from handful_client._async.jobs import AsyncJob
from handful_client._sync.classifier import Classifier
from handful_client._sync.client import Client
from handful_client._sync.jobs import Job
from handful_client.batches import RefusedImage
from handful_client.errors import (
    AnswerTimeout,
    BadRequest,
    Conflict,
    FieldError,
    FileReason,
    Forbidden,
    HandfulError,
    Invalid,
    InvalidImage,
    NoAnswer,
    NotFound,
    PreconditionFailed,
    Problem,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnreadableAnswer,
)
from handful_client.images import AsyncImages, AsyncLabelled, ImageLike, Images, Labelled
from handful_client.models import ClassifierSettingsIn as Settings
from handful_client.models import EmbeddingIn as Embedding
from handful_client.models import ImageEmbedding, ImageReference, ImageUrl
from handful_client.version import __version__

__all__ = [
    "AnswerTimeout",
    "AsyncClassifier",
    "AsyncClient",
    "AsyncImages",
    "AsyncJob",
    "AsyncLabelled",
    "BadRequest",
    "Classifier",
    "Client",
    "Conflict",
    "Embedding",
    "FieldError",
    "FileReason",
    "Forbidden",
    "HandfulError",
    "ImageEmbedding",
    "ImageLike",
    "ImageReference",
    "ImageUrl",
    "Images",
    "Invalid",
    "InvalidImage",
    "Job",
    "Labelled",
    "NoAnswer",
    "NotFound",
    "PreconditionFailed",
    "Problem",
    "RefusedImage",
    "Settings",
    "TooLarge",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "UnreadableAnswer",
    "__version__",
    "models",
]
