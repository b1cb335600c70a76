"""Precisions that a processor has instructions for, and what stands in for the others."""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from adapters.recipe import Precision

# Values of oneDNN's limit of instructions that leave bfloat16 in.
_WITH_BFLOAT16 = ("DEFAULT", "ALL", "AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX512_CORE_AMX")
_TOLD = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


def computed_in(precision: Precision, *, quantised: bool = False) -> Precision:
    """What a recipe is computed in on this processor: its precision, or else float32.

    Embeddings in float32 are what rounded ones are rounded from, the nearest to them that can be
    computed quickly: few-shot accuracy with keys in bfloat16 or int8 and queries in float32, and
    the speed of emulating bfloat16, are in ``docs/precision.md``.

    Args:
        precision: Of the recipe.
        quantised: Whether a quantised model is there already.
    """
    if precision == "bfloat16" and not has_bfloat16():
        return "float32"
    if precision == "int8" and not quantised and not can_quantise():
        return "float32"
    return precision


def can_quantise() -> bool:
    """Whether NNCF is installed (``handful[int8]``), which makes models for int8."""
    return find_spec("nncf") is not None


def has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16, and may."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA") or "DEFAULT"
    return limit.upper().startswith(_WITH_BFLOAT16) and "BF16" in _capabilities()


@cache
def _capabilities() -> tuple[str, ...]:
    from adapters.engines import openvino

    return openvino.capabilities()


@cache
def instructions() -> str:
    """The instruction set of the processor, as far as it decides which precision is quick."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    flags = next((line.split() for line in lines if line.startswith(("flags", "Features"))), [])
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "")
    told = [flag for flag in _TOLD if flag in flags] + ([f"at most {limit}"] if limit else [])
    return " ".join((platform.machine(), *told))
