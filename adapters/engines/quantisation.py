"""Post-training quantisation (NNCF) of the image tower, and the engine for a precision."""

from __future__ import annotations

import io
import logging
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from adapters.engines import openvino
from adapters.engines.openvino import Model, OpenVINO
from adapters.engines.precisions import computed_in
from adapters.recipe import Precision
from adapters.synthetic_pictures import SUBJECTS, picture

logger = logging.getLogger("handful.runtime")

_WHY: dict[Precision, str] = {
    "bfloat16": "this processor has no instructions for it",
    "int8": "NNCF, which makes the model for it, is not installed: pip install 'handful[int8]'",
}
# Pictures of each subject that the ranges of activations are seen on: numbers that no task has.
_CALIBRATION = range(1000, 1006)

# Operations of the normalisation of pixels and embeddings.
_IN_FLOAT32 = ["Divide", "Maximum", "ReduceL2", "Subtract"]


def engine_in(
    precision: Precision, model: Model, path: Path | None = None, *, anew: bool = False
) -> OpenVINO:
    """The engine that runs a converted model in a precision, or in what stands in for it.

    A quantised model lies beside the one that it was made of. Making it takes some seconds, and a
    minute for large models.

    Args:
        precision: To compute in.
        model: What :func:`adapters.engines.openvino.convert` made.
        path: Where that is kept, if it is.
        anew: Whether a quantised model that lies there is of another one.
    """
    kept = None if path is None else path.with_name(f"{path.stem}-int8.xml")
    there = kept is not None and kept.exists() and not anew
    computed = computed_in(precision, quantised=there)
    if computed != precision:
        logger.warning(
            "images are embedded in float32 in the place of %s: %s", precision, _WHY[precision]
        )
    if computed != "int8":
        return OpenVINO(model, computed)
    if kept is not None and there:
        try:
            return OpenVINO(openvino.read(kept), computed)
        except Exception as error:
            logger.warning("the quantised model %s is made anew: %s", kept, error)
    model = quantised(model)
    if kept is not None:
        try:
            openvino.write(model, kept)
        except OSError as error:
            logger.warning("the quantised model is not kept for the next start: %s", error)
    return OpenVINO(model, computed)


def quantised(model: Model) -> Model:
    """Weights and activations in int8 (Jacob et al., CVPR 2018), their ranges seen on pictures.

    What normalises pixels and embeddings stays in float32, and biases are not corrected: either
    destroys embeddings of EfficientNet-Lite0. The pictures are synthetic, always the same.

    Args:
        model: From (n, H, W, 3) uint8 pixels to embeddings, in float32; stays as it is.
    """
    import nncf

    _, height, width, _ = model.input(0).partial_shape
    size = width.get_length(), height.get_length()
    pixels = [
        np.asarray(picture(name, number).resize(size))[None]
        for number in _CALIBRATION
        for name in SUBJECTS
    ]
    level = logging.getLogger("nncf").level
    nncf.set_log_level(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):  # its progress bars
            made: Any = nncf.quantize(
                model.clone(),
                nncf.Dataset(pixels),
                subset_size=len(pixels),
                ignored_scope=nncf.IgnoredScope(types=_IN_FLOAT32, validate=False),
                advanced_parameters=nncf.AdvancedQuantizationParameters(
                    disable_bias_correction=True
                ),
            )
    finally:
        logging.getLogger("nncf").setLevel(level)
    return made
