"""Training-free heads, one module each, and their names in settings and reports."""

from adapters.heads.head import Head, Scores
from adapters.heads.tip_adapter import TipAdapter, TipAdapterPlusPlus
from adapters.heads.zero_shot import ZeroShot
from adapters.tuning.tuning import Tuning

HEADS: dict[str, type[Head]] = {
    "zero-shot": ZeroShot,
    "tip-adapter": TipAdapter,
    "tip-adapter++": TipAdapterPlusPlus,
}
DEFAULT_HEAD = "tip-adapter++"

__all__ = ["DEFAULT_HEAD", "HEADS", "Head", "Scores", "Tuning"]
