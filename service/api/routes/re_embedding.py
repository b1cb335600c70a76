"""``/v1/re-embedding``: the database moves to another recipe of embeddings, while it serves."""

from __future__ import annotations

from fastapi import APIRouter

from service.api.dependencies import ReadyParts
from service.api.json_route import JsonRoute
from service.api.offloading import run_blocking
from service.api.openapi.responses import BODY_PROBLEMS, problems
from service.api.schemas.re_embedding import ReEmbeddingIn, ReEmbeddingOut
from service.composition import ServiceParts
from service.encoder import moved_recipe
from service.problems import CannotReEmbed, ReEmbeddingUnderWay, StorageFull

router = APIRouter(prefix="/v1/re-embedding", tags=["re-embedding"], route_class=JsonRoute)

_FULL = StorageFull("There is no room for it on the disk. Free some, and send the request again.")


@router.post(
    "",
    status_code=202,
    summary="Embed all images in another recipe",
    responses=problems(
        ReEmbeddingUnderWay(),
        CannotReEmbed("12 support images were not kept (HANDFUL_STORE_IMAGES=false), so they..."),
        _FULL,
        *BODY_PROBLEMS,
    ),
)
async def begin_re_embedding(parts: ReadyParts, asked: ReEmbeddingIn) -> ReEmbeddingOut:
    """It goes on in the background, while everything is answered as before.

    A recipe is how the image tower is computed: its precision, and what resizes pictures before
    it. Each classifier answers from its old embeddings until it has all of the new ones and a
    tuning of them, and from the new ones after that; queries are embedded as the classifier is
    that they are compared with. What was begun goes on after a restart.
    """

    def begin() -> None:
        now = parts.re_embedder.status().recipe or parts.backbone.recipe
        parts.re_embedder.begin(moved_recipe(now, asked.precision, asked.resizing))

    await run_blocking(begin)
    return await _status(parts)


@router.get("", summary="How far the embedding in another recipe is", responses=problems())
async def get_re_embedding(parts: ReadyParts) -> ReEmbeddingOut:
    """Also where nothing is under way: then it tells the recipe of the database."""
    return await _status(parts)


@router.delete(
    "",
    status_code=202,
    summary="Go back to the recipe before",
    responses=problems(_FULL),
)
async def cancel_re_embedding(parts: ReadyParts) -> ReEmbeddingOut:
    """Classifiers that have changed over go back, one by one, to the embeddings that they had.

    What is settled already stays: then the answer tells the new recipe. Where nothing is under
    way, nothing happens.
    """
    await run_blocking(parts.re_embedder.cancel)
    return await _status(parts)


async def _status(parts: ServiceParts) -> ReEmbeddingOut:
    return ReEmbeddingOut.of(await run_blocking(parts.re_embedder.status))
