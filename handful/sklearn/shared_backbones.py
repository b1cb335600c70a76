"""One backbone for all estimators of a process that ask for the same one."""

from __future__ import annotations

import os
from functools import lru_cache
from threading import Lock

from adapters.backbones import Backbone
from adapters.recipe import Precision
from handful.backbone import load_backbone

_LOADING = Lock()


def shared_backbone(
    name: str,
    adapter: str | os.PathLike[str] | None,
    prompts: str | os.PathLike[str] | None,
    precision: Precision,
    device: str | None,
) -> Backbone:
    """The backbone of these parameters, loaded the first time; the last two stay in memory.

    So clones, folds and candidates of a search embed by one model. A process of joblib loads its
    own. Arguments and errors as of :func:`handful.load_backbone`.
    """
    with _LOADING:  # threads that ask for the same one wait for it
        return _loaded(name, _path(adapter), _path(prompts), precision, device)


def _path(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else os.fspath(path)


@lru_cache(maxsize=2)
def _loaded(
    name: str, adapter: str | None, prompts: str | None, precision: Precision, device: str | None
) -> Backbone:
    return load_backbone(name, device=device, adapter=adapter, prompts=prompts, precision=precision)
