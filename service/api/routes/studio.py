"""``/studio``: the studio's page and what it is made of. ``/``: the way there, or to the API.

They need no key and no part of the service, so they answer while it starts.
"""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from service.api.accepting import prefers_html, takes_gzip
from service.api.entity_tags import EntityTags
from service.api.exception_handlers import no_such_path
from service.api.offloading import run_blocking
from service.studio.built_files import PAGE, built_files

router = APIRouter(include_in_schema=False)

# Scripts, styles, pictures and answers of this service alone, and pictures that the page makes
# itself. No text becomes a script, also not by way of the page's own scripts (trusted types).
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:;"
    " media-src 'self' blob:; connect-src 'self'; font-src 'self'; worker-src 'self';"
    " manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'"
)
_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "permissions-policy": "camera=(self)",
    "cross-origin-opener-policy": "same-origin",
    "vary": "accept-encoding",
}
# Names of assets have a digest of their content in them, so what a name stands for never changes.
_ASSETS = "assets/"
_FOR_EVER = "public, max-age=31536000, immutable"


@router.get("/")
async def get_root(request: Request) -> Response:
    """Where the studio is, or the API and its documentation."""
    root: str = request.scope.get("root_path", "")
    if prefers_html(request.headers.get("accept", "")):
        # Without a root path the place is relative: a proxy may show the service under one.
        location = f"{root}/studio" if root else "studio"
        return Response(status_code=307, headers={"location": location, "vary": "accept"})
    told = {
        "name": "Handful",
        "version": version("handful"),
        "links": {
            "studio": f"{root}/studio",
            "documentation": f"{root}/docs",
            "openapi": f"{root}/openapi.json",
            "classifiers": f"{root}/v1/classifiers",
        },
    }
    return JSONResponse(told, headers={"vary": "accept"})


@router.get("/studio")
async def get_studio(request: Request) -> Response:
    """The page."""
    return await _answer(request, PAGE)


@router.get("/studio/{path:path}")
async def get_studio_file(path: str, request: Request) -> Response:
    """What the page is made of; its own path has no slash at the end."""
    if not path:
        return Response(status_code=307, headers={"location": "../studio"})
    if path == PAGE:  # it would look for its files below itself
        raise no_such_path(request.scope["path"])
    return await _answer(request, path)


async def _answer(request: Request, path: str) -> Response:
    file = (await run_blocking(built_files)).get(path)
    if file is None:
        raise no_such_path(request.scope["path"])
    lasts = _FOR_EVER if path.startswith(_ASSETS) else "no-cache"
    headers = {**_HEADERS, "cache-control": lasts, "etag": f"W/{file.tag}"}
    known = request.headers.get("if-none-match")
    if known is not None and EntityTags.of("If-None-Match", known).have(file.tag):
        return Response(status_code=304, headers=headers)
    content = file.content
    if file.compressed is not None and takes_gzip(request.headers.get("accept-encoding", "")):
        content, headers["content-encoding"] = file.compressed, "gzip"
    return Response(content, headers=headers, media_type=file.media_type)
