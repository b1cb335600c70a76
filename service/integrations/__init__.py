"""Integrations: other systems that the service answers in their own way, a package each.

A package has a function ``contract(settings)``, and is registered in
:mod:`service.settings.integrations`. Nothing else of the service knows of it.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module

from service.api.integration import Contract, Integration
from service.settings import Settings
from service.settings.integrations import INTEGRATIONS


def chosen(settings: Settings) -> list[Integration]:
    """The integrations that are switched on; of others nothing is ever imported."""
    return [
        Integration(name, INTEGRATIONS[name].prefix, partial(_contract, name, settings))
        for name in settings.integrations
    ]


def _contract(name: str, settings: Settings) -> Contract:
    package = import_module(f"{__name__}.{INTEGRATIONS[name].package}")
    contract: Contract = package.contract(settings)
    return contract
