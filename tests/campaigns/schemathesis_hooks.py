"""What schemathesis cannot know from the document: real files, and what can be seen; a check more.

Loaded by ``schemathesis run`` through SCHEMATHESIS_HOOKS. Nothing here leaves out a check, but for
one of a header field.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import strategies as st

from service.api.routes.exchange import FILE_TYPE
from service.api.routes.prompts import FILE_TYPE as PROMPTS_TYPE
from service.api.uploads.image_uploads import ZIP_TYPES
from service.images.formats import ImageFormat
from tests.learned_prompts import tiny_prompts
from tests.service.exchange.files import made
from tests.service.exchange.files import written as file_of
from tests.service.pictures import encoded, noise, picture, zipped

# No schema says what an image is; what is no image is sent by
# tests/service/api/uploads/test_fuzz.py.
HEIC = Path(__file__).parents[1] / "service" / "files" / "scene.heic"  # Pillow writes none
for kind in ImageFormat:
    written = "PPM" if kind is ImageFormat.NETPBM else kind.name
    files = (
        [HEIC.read_bytes()]
        if kind is ImageFormat.HEIC
        else [encoded(noise(seed), written) for seed in (1, 2)]
    )
    schemathesis.openapi.media_type(kind.media_type, st.sampled_from(files))
PICTURES = st.sampled_from([picture(1), picture(2)])
schemathesis.openapi.media_type("application/octet-stream", PICTURES)
schemathesis.openapi.format("binary", PICTURES)
schemathesis.openapi.format(
    "image-base64", PICTURES.map(lambda content: base64.b64encode(content).decode())
)
ARCHIVES = [
    zipped({"ant/1.png": picture(1), "bee/2.png": picture(2)}),
    zipped({"森林/1.png": picture(3)}),
]
first, *others = sorted(ZIP_TYPES)
schemathesis.openapi.media_type(first, st.sampled_from(ARCHIVES), aliases=others)

# Of a backbone that no service has, so that its images are embedded anew.
schemathesis.openapi.media_type(FILE_TYPE, st.just(file_of(made())))

# Of the backbone of the contract's own service.
schemathesis.openapi.media_type(PROMPTS_TYPE, st.just(tiny_prompts()))

# The format "label" (docs/api.md): letters of several scripts, digits, marks that stand alone.
CHARACTERS = st.sampled_from(
    "abzAZ09 .-_~%+&=#?;:,'\"()[]{}|<>*!@$^`éßñλжя中文日本語한국العربية🦊👍½€"
)
LABELS = st.text(CHARACTERS, min_size=1, max_size=40).filter(
    lambda text: text.strip() and text.strip() not in {".", ".."}
)
schemathesis.openapi.format("label", LABELS)

TAGS = st.sampled_from(["*", '"64f0c9a1.12"', '"a", W/"b"'])
schemathesis.openapi.format("entity-tags", TAGS)
schemathesis.openapi.format("idempotency-key", st.uuids(version=4).map(str))
_NUMBERS = itertools.count(1)


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Header fields that nobody knows are to be ignored (RFC 9110, 5.1), and refused by nobody."""
    return "x-schemathesis-unknown-property" not in (case.headers or {})


@schemathesis.hook
def map_case(context: Any, case: Any) -> Any:
    """A key is of one request; the same one with others is refused."""
    if re.fullmatch("[0-9a-f-]{36}", str((case.headers or {}).get("idempotency-key", ""))):
        case.headers["idempotency-key"] = f"key-{next(_NUMBERS)}"
    return case


@schemathesis.check
def documented_problem(context: Any, response: Any, case: Any) -> None:
    """The type of a problem, beside its status, is among the examples of the operation."""
    [content_type] = response.headers.get("content-type", [""])
    if content_type != "application/problem+json" or response.status_code == 405:
        return
    answers = case.operation.definition.raw["responses"]
    content = answers.get(str(response.status_code), {}).get("content", {})
    kind = json.loads(response.content)["type"]
    if kind != "http-not-found":  # a name that made another path of it
        assert kind in content.get(content_type, {}).get("examples", {}), f"{kind} is undocumented"
