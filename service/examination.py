"""What would serve: which engine embeds, what compares keys, and why nothing quicker does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from adapters.backbones import Backbone
from adapters.cache.faiss_gpu import unusable
from adapters.faiss_library import faiss
from service.encoder import load_encoder, rounds
from service.precision.verdict import own_verdict, shipped_verdict
from service.settings import Settings

logger = logging.getLogger("handful")


@dataclass(frozen=True, slots=True)
class Examined:
    """A part of the service: what it is made of here, and what that is not, with reasons."""

    used: str
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Examination:
    """What a service with these settings would compute with.

    Attributes:
        torch: PyTorch's CUDA, and the GPU that it sees.
        faiss: What this FAISS can do.
        encoder: What embeds images.
        precision: What it computes in for a new database; one that has embeddings keeps theirs.
        cache: What compares keys.
    """

    torch: Examined
    faiss: Examined
    encoder: Examined
    precision: Examined
    cache: Examined


def examine(settings: Settings) -> Examination:
    """Load what would serve, and look at it; costs what a start costs. Opens no database.

    Raises:
        BackboneError: The backbone cannot be loaded.
    """
    with _heard() as remarks:
        backbone = load_encoder(settings)
    if backbone.correction.name == "uncorrected":
        remarks.append("no correction of intra-modal overlap: tip-adapter++ answers as tip-adapter")
    encoder = Examined(
        f"{backbone.name} on {backbone.device}, run by {backbone.engine}", tuple(remarks)
    )
    precision = precision_of(settings, backbone)
    return Examination(_torch(), _faiss(), encoder, precision, _cache(settings, backbone))


def precision_of(settings: Settings, backbone: Backbone) -> Examined:
    """What a new database is embedded in, and by whose measurement."""
    used, model = backbone.recipe.precision, backbone.model_fingerprint
    if settings.precision != "auto":
        return Examined(used, ("as HANDFUL_PRECISION asks",))
    if not rounds(settings):
        return Examined(used, ("PyTorch embeds, in what agrees with float32",))
    if (own := own_verdict(model, settings.cache_dir)) is not None:
        return Examined(used, (f"measured here on {own.when} ({own.instructions}): {own}",))
    if (shipped := shipped_verdict(model)) is not None:
        where = f"{shipped.when} on {shipped.instructions}"
        return Examined(used, (f"measured by the package, {where}: {shipped}",))
    return Examined(used, ("not yet measured; handful serve does it at its first start",))


def _torch() -> Examined:
    built = "no CUDA" if torch.version.cuda is None else f"CUDA {torch.version.cuda}"
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Examined(f"{built}, {', '.join(names)}")
    return Examined(f"{built}, no GPU", ("no NVIDIA GPU with a driver is seen here",))


def _faiss() -> Examined:
    options = faiss.get_compile_options().strip()
    if not hasattr(faiss, "StandardGpuResources"):
        return Examined(f"without GPU support ({options})")
    return Examined(f"with GPU support, {faiss.get_num_gpus()} GPUs ({options})")


def _cache(settings: Settings, backbone: Backbone) -> Examined:
    on_processor = (
        f"up to {settings.cache_exact_up_to} keys a FAISS IndexFlatIP, compared whole; beyond,"
        f" by class, in {settings.cache_storage}, and a FAISS inverted file"
    )
    if backbone.device.type != "cuda":
        return Examined(on_processor, ("no GPU, as the encoder is on none",))
    if (reason := unusable(backbone.device)) is not None:
        return Examined(f"{on_processor}; on the GPU by PyTorch", (f"not by FAISS: {reason}",))
    return Examined(f"{on_processor}; on the GPU by FAISS")


@contextmanager
def _heard() -> Iterator[list[str]]:
    """The warnings of the service's loggers meanwhile, which they tell nobody else."""
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    ear, told = Ear(logging.WARNING), logger.propagate
    logger.addHandler(ear)
    logger.propagate = False
    try:
        yield heard
    finally:
        logger.removeHandler(ear)
        logger.propagate = told
