"""Training-free heads, one module each, and their names in settings and reports."""

from adapters.heads.ape import APE, APEPlusPlus
from adapters.heads.auto import Auto
from adapters.heads.gda import GDA, GDAPlusPlus
from adapters.heads.head import Head, Scores
from adapters.heads.tip_adapter import TipAdapter, TipAdapterPlusPlus
from adapters.heads.tip_x import TipX, TipXPlusPlus
from adapters.heads.zero_shot import ZeroShot
from adapters.tuning.tuning import Tuning

HEADS: dict[str, type[Head]] = {
    "auto": Auto,
    "zero-shot": ZeroShot,
    "tip-adapter": TipAdapter,
    "tip-adapter++": TipAdapterPlusPlus,
    "tip-x": TipX,
    "tip-x++": TipXPlusPlus,
    "ape": APE,
    "ape++": APEPlusPlus,
    "gda": GDA,
    "gda++": GDAPlusPlus,
}
DEFAULT_HEAD = "auto"

__all__ = ["DEFAULT_HEAD", "HEADS", "Head", "Scores", "Tuning"]
