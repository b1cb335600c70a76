"""The trace of one request or job, as threads and queues carry it (OpenTelemetry, spans).

Spans of what threads do are written down when it has ended, with its begin and its end: so a
request that is not traced costs one look for a trace, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter, time_ns
from typing import cast

from opentelemetry.context import Context, attach, create_key, detach, get_value, set_value
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    Status,
    StatusCode,
    get_current_span,
    get_tracer,
    set_span_in_context,
)

from service.telemetry.propagation import heard_context

Attributes = Mapping[str, str | int | float | bool]

# Of a request with thousands of images the first tell what the others would.
_MOST_SPANS = 128
# Of a job or a tuning.
_MOST_OF_WORK = 10_000
_KEY = create_key("handful-trace")
TRACER = get_tracer("handful")


class RequestTrace:
    """A span that is recorded, and so many spans below it.

    Args:
        span: The one that others are parts of.
        left: How many those may be.
    """

    __slots__ = ("_context", "_epoch", "_left", "span")

    def __init__(self, span: Span, left: int = _MOST_SPANS) -> None:
        self.span = span
        self._context = set_span_in_context(span)
        self._left = left
        # One clock for all of a trace, which nobody sets meanwhile.
        self._epoch = time_ns() - round(1e9 * perf_counter())

    def begin(
        self,
        name: str,
        at: float,
        attributes: Attributes | None = None,
        links: Sequence[Link] = (),
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Span | None:
        """Begin a span of a part.

        Args:
            name: Of the kind of part.
            at: When it began, by ``perf_counter``.
            attributes: What else is told of it.
            links: To spans of other traces.
            kind: INTERNAL, or CLIENT where another system is asked.

        Returns:
            None where there are as many already as may be.
        """
        if self._left <= 0:
            return None
        self._left -= 1
        return TRACER.start_span(
            name, self._context, kind, attributes, links, self._epoch + round(1e9 * at)
        )

    def end(self, span: Span | None, at: float, error: BaseException | None = None) -> None:
        """End a span that this began, as it went."""
        if span is None:
            return
        if error is not None:
            tell_error(span, type(error).__name__)
        span.end(self._epoch + round(1e9 * at))

    def add(
        self,
        name: str,
        begin: float,
        end: float,
        attributes: Attributes | None = None,
        error: BaseException | None = None,
    ) -> None:
        """Write a part down that has ended; as :meth:`begin` and :meth:`end`."""
        self.end(self.begin(name, begin, attributes), end, error)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Let it be the one that :func:`current_trace` gives, for as long as the block lasts."""
        token = attach(set_value(_KEY, self, self._context))
        try:
            yield
        finally:
            detach(token)


def continued_trace(told: bytes) -> RequestTrace | None:
    """The trace of a span of another process, for parts of it; None: it is not traced.

    Args:
        told: By ``told_context`` there.
    """
    if not told or (context := heard_context(told)) is None:
        return None
    span = get_current_span(context)
    return RequestTrace(span) if span.get_span_context().trace_flags.sampled else None


def link_to_current() -> Link | None:
    """A link to what this thread or task works for, for what it begins; None: it is not traced."""
    trace = current_trace()
    return None if trace is None else Link(trace.span.get_span_context())


def current_trace() -> RequestTrace | None:
    """The trace that this thread or task works for; None where it is not traced."""
    return cast("RequestTrace | None", get_value(_KEY))


@contextmanager
def traced_part(name: str, attributes: Attributes | None = None) -> Iterator[None]:
    """A part of the current trace, if there is one; what is done in the block is part of it."""
    trace = current_trace()
    span = None if trace is None else trace.begin(name, perf_counter(), attributes)
    if trace is None or span is None:
        yield
        return
    error: BaseException | None = None
    try:
        with RequestTrace(span, trace._left).current():
            yield
    except BaseException as raised:
        error = raised
        raise
    finally:
        trace.end(span, perf_counter(), error)


@contextmanager
def own_trace(name: str, attributes: Attributes, begun_by: Link | None) -> Iterator[Span]:
    """A trace of its own of what is done in the block, such as background work.

    Args:
        name: Of the kind of work.
        attributes: What else is told of it.
        begun_by: The span that asked for it.

    Yields:
        Its span, of which more can be told.
    """
    links = () if begun_by is None else (begun_by,)
    span = TRACER.start_span(name, Context(), SpanKind.INTERNAL, attributes, links)
    if not span.is_recording():
        yield span
        return
    try:
        with RequestTrace(span, _MOST_OF_WORK).current():
            yield span
    except BaseException as error:
        tell_error(span, type(error).__name__)
        raise
    finally:
        span.end()


def tell_error(span: Span, kind: str) -> None:
    """Let a span have failed; of what kind, and nothing of what the error says."""
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))
