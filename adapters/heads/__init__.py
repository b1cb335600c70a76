"""Training-free heads, one module each, and their names in settings and reports."""

from collections.abc import Mapping

from adapters.heads.ape import APE, APEPlusPlus
from adapters.heads.auto import Auto
from adapters.heads.gda import GDA, GDAPlusPlus
from adapters.heads.head import Head, Scores
from adapters.heads.krr import KRR, KRRPlusPlus
from adapters.heads.tip_adapter import TipAdapter, TipAdapterPlusPlus
from adapters.heads.tip_x import TipX, TipXPlusPlus
from adapters.heads.zero_shot import ZeroShot
from adapters.tuning.tuning import Parameters, Tuning

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
    "krr": KRR,
    "krr++": KRRPlusPlus,
}
DEFAULT_HEAD = "auto"


def parameters_of(name: str, values: Mapping[str, float]) -> Parameters:
    """The hyperparameters of a head by its name, from numbers by theirs, as they are stored.

    Where one is missing without which the head cannot answer there are none at all: the tuning is
    then another head's, or another version's, and the head refuses to be fitted with it.
    """
    try:
        return HEADS[name].parameters.of(values)
    except TypeError:
        return Parameters()


__all__ = [
    "DEFAULT_HEAD",
    "HEADS",
    "Head",
    "Parameters",
    "Scores",
    "Tuning",
    "parameters_of",
]
