"""Loading a backbone for inference on the processor, from what is kept of it if possible."""

from __future__ import annotations

import gc
import json
import logging
from contextlib import suppress
from functools import partial
from pathlib import Path

from adapters.backbone_errors import BackboneError
from adapters.backbones import Backbone
from adapters.collector import without_collections
from adapters.corrections import Uncorrected, adapter_file
from adapters.kept.compiled_backbone import CompiledBackbone
from adapters.kept.given_back import give_back_memory, let_go_of_pages
from adapters.kept.kept_model import KeptModel, discard
from adapters.kept.sources import content_key, digests, files_of, request_key
from adapters.kept.text_tower import EmbedTexts
from adapters.recipe import ChooseRecipe, Recipe
from adapters.whole_files import written_whole

logger = logging.getLogger("handful.runtime")


def load_compiled(
    name: str,
    *,
    adapter: str | None = None,
    recipe: Recipe | ChooseRecipe = Recipe(),  # noqa: B008 - a value that never changes
    cache: Path,
) -> Backbone:
    """Load a backbone without prompts to embed on the processor, compiled.

    The first time PyTorch's model is built and converted, which takes some seconds, and let go of.
    What came of it is kept, and found again by the content of all files that the model is made of:
    then neither PyTorch's model is built nor what builds it imported.

    Args:
        name: As for :func:`adapters.loading.load_backbone`.
        adapter: As there.
        recipe: How images are embedded, or what chooses that by the model's fingerprint.
        cache: Folder of kept models.

    Raises:
        BackboneError: It cannot be loaded; the message says what is missing.
    """
    request = request_key(name, adapter)
    folder = _found(request, name, adapter, cache)
    if folder is not None and folder.exists():
        kept = _read(folder)
        backbone = None if kept is None else _opened(kept, recipe)
        if backbone is not None:
            return backbone
        with suppress(OSError):
            discard(folder)
    with without_collections():  # tracing and converting make very many objects
        return _made(request, name, adapter, recipe, cache, folder)


def _found(request: str, name: str, adapter: str | None, cache: Path) -> Path | None:
    """The folder of the model that these files make, which need not exist."""
    try:
        files = files_of(name, adapter)
        if files is None:  # told by whoever kept it
            files = [Path(path) for path in json.loads(_pointer(request, cache).read_text("utf-8"))]
        return cache / f"{request}-{content_key(digests(files))}"
    # Something is missing or unreadable: whoever loads the model says what.
    except (OSError, ValueError, BackboneError):
        return None


def _read(folder: Path) -> KeptModel | None:
    try:
        return KeptModel.read(folder)
    except Exception as error:
        logger.warning("the compiled model %s is made anew: %s", folder, error)
        return None


def _opened(kept: KeptModel, recipe: Recipe | ChooseRecipe) -> Backbone | None:
    """Make a backbone of a kept model; None, and a warning, where it cannot be used."""
    chosen = recipe if isinstance(recipe, Recipe) else recipe(kept.about.fingerprint)
    try:
        backbone = CompiledBackbone(kept, chosen, partial(_texts_of_pytorch, kept.about.name))
    # A damaged file, or one that this processor computes otherwise: whatever it is, it is known
    # how to make another one.
    except Exception as error:
        logger.warning("the compiled model %s is made anew: %s", kept.folder, error)
        return None
    let_go_of_pages(kept.folder.resolve())
    give_back_memory()
    return backbone


def _made(
    request: str,
    name: str,
    adapter: str | None,
    recipe: Recipe | ChooseRecipe,
    cache: Path,
    before: Path | None,
) -> Backbone:
    """Build PyTorch's model, keep it, and open what is kept; stay with it if that fails.

    Args:
        request: See :func:`adapters.kept.sources.request_key`.
        name: Of the backbone.
        adapter: Of the backbone.
        recipe: How images are embedded.
        cache: Folder of kept models.
        before: The folder that the model's files were to be kept in, before they were read.
    """
    from adapters.engines.selection import fastest
    from adapters.kept.keeping import NotKeptError, keep, weights_file
    from adapters.loading import load_correction, load_dual_encoder

    encoder = load_dual_encoder(name)
    correction = load_correction(encoder, adapter)
    backbone = None
    try:
        if files_of(name, adapter) is None:
            weights = weights_file(name)
            if weights is None:
                raise NotKeptError("which files it is made of is not known")
            own = adapter_file(adapter)
            _point(_pointer(request, cache), [weights, *([] if own is None else [own])])
            before = _found(request, name, adapter, cache)
        folder = _found(request, name, adapter, cache)
        if folder is None or folder != before:
            raise NotKeptError("its files were changed while it was loaded")
        kept = keep(encoder, correction, folder)
    # Whatever converting or writing fails with, PyTorch's model is there.
    except Exception as error:
        why = logger.info if isinstance(error, NotKeptError) else logger.warning
        why("%s is not kept for the next start: %s", name, error)
    else:
        backbone = _opened(kept, recipe)
    if backbone is None:
        return Backbone(encoder, correction, "cpu", partial(fastest, cache=cache), recipe)
    del encoder, correction
    gc.collect()
    give_back_memory()
    return backbone


def _texts_of_pytorch(name: str) -> EmbedTexts:
    from adapters.loading import load_dual_encoder

    return Backbone(load_dual_encoder(name), Uncorrected(), "cpu").encode_texts


def _pointer(request: str, cache: Path) -> Path:
    return cache / f"{request}.json"


def _point(path: Path, files: list[Path]) -> None:
    """Write down which files a model is made of."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part:
        part.write_text(json.dumps([str(file.resolve()) for file in files]), "utf-8")
