"""Few-shot classification as one would write it: FastAPI, eager open_clip, Tip-Adapter in torch.

    BASELINE_SUPPORT=FOLDER uvicorn benchmarks.baseline.app:app

FOLDER holds CLASS/IMAGE files. The same model as Handful's `lite`, loaded the same way; α and β
are fixed. ``/predict`` runs in Starlette's pool of threads, ``/predict-async`` on the event loop,
which it blocks: both are commonly written. ``both=true`` compares images by the adapted embedding,
as Handful does, with a second pass through the model.
"""

import os
import threading
from pathlib import Path

import torch
from fastapi import FastAPI, UploadFile
from PIL import Image
from torch.nn.functional import normalize

from adapters.backbones.lite import ADAPTER
from adapters.corrections.bottleneck import load_adapter
from adapters.loading import load_dual_encoder

ALPHA, BETA = 20.0, 5.5

encoder = load_dual_encoder("lite")
model, preprocess, tokenizer = encoder.model, encoder.preprocess, encoder.tokenizer
model.eval().requires_grad_(False)
adapted = load_dual_encoder("lite").visual.eval().requires_grad_(False)
load_adapter(ADAPTER, adapted, "lite").eval()
adapted_one_at_a_time = threading.Lock()  # an adapter keeps state during a pass


@torch.no_grad()
def embed(image: Image.Image, both: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The image's embedding to be compared with texts, and the one for images."""
    pixels = preprocess(image.convert("RGB")).unsqueeze(0)
    frozen = normalize(model.encode_image(pixels), dim=-1)
    if not both:
        return frozen, frozen
    with adapted_one_at_a_time:
        return frozen, normalize(adapted.trunk(pixels), dim=-1)


folder = Path(os.environ["BASELINE_SUPPORT"])
labels = sorted(path.name for path in folder.iterdir())
files = [(path, i) for i, label in enumerate(labels) for path in (folder / label).iterdir()]
with torch.no_grad():
    texts = normalize(model.encode_text(tokenizer([f"a photo of a {x}." for x in labels])), dim=-1)
frozen_keys, adapted_keys = zip(*(embed(Image.open(path), True) for path, _ in files), strict=True)
keys = {False: torch.cat(frozen_keys), True: torch.cat(adapted_keys)}
values = torch.eye(len(labels))[[i for _, i in files]]

app = FastAPI()


@torch.no_grad()
def classify(file: UploadFile, both: bool) -> dict[str, object]:
    """Tip-Adapter: zero-shot logits plus the votes of the support images."""
    frozen, compared = embed(Image.open(file.file), both)
    affinity = compared @ keys[both].T
    logits = 100 * frozen @ texts.T + ALPHA * (-BETA * (1 - affinity)).exp() @ values
    probabilities = logits.softmax(dim=-1)[0]
    best = int(probabilities.argmax())
    return {
        "label": labels[best],
        "probabilities": dict(zip(labels, probabilities.tolist(), strict=True)),
    }


@app.post("/predict")
def predict(file: UploadFile, both: bool = False) -> dict[str, object]:
    """Classify in a thread."""
    return classify(file, both)


@app.post("/predict-async")
async def predict_async(file: UploadFile, both: bool = False) -> dict[str, object]:
    """Classify on the event loop."""
    return classify(file, both)
