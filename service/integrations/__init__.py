"""Integrations: other systems that the service answers in their own way, a package each.

A package has a function ``integration(settings)``, and is registered in
:mod:`service.settings.integrations`. Nothing else of the service knows of it.
"""

from __future__ import annotations

from importlib import import_module

from service.api.integration import Integration
from service.settings import Settings
from service.settings.integrations import INTEGRATIONS


def chosen(settings: Settings) -> list[Integration]:
    """The integrations that are switched on; of others nothing is imported."""
    return [
        import_module(f"{__name__}.{INTEGRATIONS[name].package}").integration(settings)
        for name in settings.integrations
    ]
