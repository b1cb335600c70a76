"""Feature cache on disk: one small file for each image content and backbone.

A file is written under another name and renamed, so that nobody reads half of one, and what a
process writes another one can only write again. Whatever cannot be read as what its name says
counts as missing.
"""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import torch
from platformdirs import user_cache_dir
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from adapters.backbones import Backbone
from adapters.backbones.support_views import VIEWS
from adapters.embeddings import ImageEmbeddings
from service.images.decoding import DECODING


def default_folder() -> Path:
    """Default folder of the feature cache, in the user's cache folder."""
    return Path(user_cache_dir("handful", appauthor=False)) / "features"


_CHECKSUM = "crc32"


class FeatureCache:
    """Feature cache: ``FOLDER/FINGERPRINT-DECODING/ab/SHA-256.safetensors``; ab begins the SHA-256.

    Averages of N support views lie in ``FINGERPRINT-DECODING-N-views``, each with what the image is
    as a query. Features of another kind, which are not what the service makes, lie in
    ``FINGERPRINT-DECODING-KIND``.

    Attributes:
        views: Support views of each image.
        unreadable: Files that were found and are not what they should be.
        unwritten: Why features could not be written, the first time; nothing is written then.
    """

    def __init__(
        self, folder: Path, backbone: Backbone, views: int = 1, *, kind: str | None = None
    ) -> None:
        self.views = views
        self._kind = f"{views}-views" if views > 1 else kind
        self.folder = folder
        self.unreadable: list[Path] = []
        self.unwritten: OSError | None = None
        self._fingerprint = backbone.fingerprint
        self._widths = {"frozen": backbone.width, "corrected": backbone.corrected_width}
        if views > 1:
            self._widths["as_queries"] = backbone.corrected_width

    def load(self, sha256: str) -> ImageEmbeddings | None:
        """One row of embeddings; None where there are none to be read.

        Args:
            sha256: Hex digest of the image file's bytes.
        """
        path = self._path(sha256)
        try:
            with safe_open(path, framework="pt") as file:
                described = dict(file.metadata() or {})
                written = described.pop(_CHECKSUM, None)  # earlier versions have none
                if described != self._described(sha256):
                    raise ValueError("of another image or backbone")
                rows = {name: self._row(file.get_tensor(name), name) for name in self._widths}
                if written not in (None, _checksum(rows)):
                    raise ValueError("of other bytes than were written")
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, ValueError):
            self.unreadable.append(path)
            return None
        return ImageEmbeddings(**rows)

    def store(self, sha256: str, row: ImageEmbeddings) -> None:
        """Keep one row of embeddings; after a failure nothing more is written.

        Args:
            sha256: Hex digest of the image file's bytes.
            row: (1, d) and (1, d'); of several views with ``as_queries``.
        """
        if self.unwritten is not None:
            return
        path = self._path(sha256)
        tensors = {name: getattr(row, name).contiguous() for name in self._widths}
        content = save(tensors, {**self._described(sha256), _CHECKSUM: _checksum(tensors)})
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                Path(temporary).replace(path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            self.unwritten = error

    def _path(self, sha256: str) -> Path:
        kind = "" if self._kind is None else f"-{self._kind}"
        made_by = f"{self._fingerprint}-{DECODING}{kind}"
        return self.folder / made_by / sha256[:2] / f"{sha256}.safetensors"

    def _described(self, sha256: str) -> dict[str, str]:
        described = {"fingerprint": self._fingerprint, "decoding": DECODING, "sha256": sha256}
        if self.views > 1:
            return {**described, "views": f"{self.views} {VIEWS}"}
        return described if self._kind is None else {**described, "kind": self._kind}

    def _row(self, tensor: Tensor, name: str) -> Tensor:
        if tensor.shape != (1, self._widths[name]) or tensor.dtype != torch.float32:
            raise ValueError(f"{name} has another shape")
        if not bool(tensor.isfinite().all()):
            raise ValueError(f"{name} is not finite")
        # A copy, because the tensor would keep its file mapped, and there may be thousands.
        return tensor.clone()


def _checksum(rows: Mapping[str, Tensor]) -> str:
    found = 0
    for name in sorted(rows):
        found = zlib.crc32(rows[name].contiguous().numpy().tobytes(), found)
    return f"{found:08x}"
