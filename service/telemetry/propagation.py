"""Trace context on its way (W3C Trace Context, ``traceparent`` and ``tracestate``)."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.trace import Link, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_FORMAT = TraceContextTextMapPropagator()


def context_of(fields: Mapping[str, str]) -> Context:
    """What fields of a header say of their sender's trace; an empty context where nothing does."""
    return _FORMAT.extract(fields, Context())


def told_context() -> bytes:
    """The current span for another process, as lines of header fields; empty: there is none."""
    if not get_current_span().is_recording():
        return b""
    fields: dict[str, str] = {}
    _FORMAT.inject(fields)
    return "\n".join(f"{name}: {value}" for name, value in fields.items()).encode()


def heard_context(told: bytes) -> Context | None:
    """What :func:`told_context` told in another process; None: nothing."""
    lines = (line.partition(": ") for line in told.decode("ascii", errors="replace").split("\n"))
    context = context_of({name: value for name, _, value in lines})
    return context if get_current_span(context).get_span_context().is_valid else None


def link_to(told: bytes) -> Link | None:
    """A link to the span that :func:`told_context` told of; None: there is none."""
    context = heard_context(told)
    return None if context is None else Link(get_current_span(context).get_span_context())
