"""The check of precisions in a process of its own, at the first start or beside a service."""

from service.precision_check.background import BackgroundCheck
from service.precision_check.process import first_precision

__all__ = ["BackgroundCheck", "first_precision"]
