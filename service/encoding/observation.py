"""What is told of images on their way through an encoder: metrics always, spans where traced."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from opentelemetry.trace import Link, Span
from prometheus_client import Counter, Histogram

from service.encoding.encoding_request import EncoderInput, EncodingRequest, PendingImage
from service.encoding.fair_queue import Priority
from service.telemetry.request_trace import RequestTrace

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
WAITED = Histogram(
    "handful_queue_seconds",
    "How long images waited, for a decoder or for the encoder.",
    ["queue", "lane"],
    buckets=_BUCKETS,
)
DECODE_SECONDS = Histogram(
    "handful_decode_seconds", "Duration of decoding and framing one image.", buckets=_BUCKETS
)
IMAGES = Counter(
    "handful_images_total",
    "Images that were embedded, or could not be decoded.",
    ["lane", "outcome"],
)
_DECODER = {each: WAITED.labels("decoder", each) for each in Priority}
_ENCODER = {each: WAITED.labels("encoder", each) for each in Priority}
_EMBEDDED = {each: IMAGES.labels(each, "embedded") for each in Priority}
_INVALID = {each: IMAGES.labels(each, "invalid") for each in Priority}


def decoded(
    image: PendingImage[Any, Any], begun: float, error: BaseException | None = None
) -> None:
    """An image has been decoded, or cannot be.

    Args:
        image: Which; from now on it waits for the encoder.
        begun: When a thread took it, by ``perf_counter``.
        error: What is wrong with it.
    """
    now, request = perf_counter(), image.request
    _DECODER[request.priority].observe(begun - image.since)
    if error is None:
        DECODE_SECONDS.observe(now - begun)
    else:
        _INVALID[request.priority].inc()
    if (trace := request.trace) is not None:
        trace.add("queue", image.since, begun, {"handful.queue": "decoder"})
        trace.add("decode", begun, now, error=error)
    image.since = now


def embedded(images: Sequence[PendingImage[Any, Any]]) -> None:
    """All inputs of these images have been encoded."""
    for image in images:
        _EMBEDDED[image.request.priority].inc()


class ObservedPass:
    """One pass of the encoder, from when its batch was taken to its end.

    A pass serves several requests: each that is traced has a span of it, and those of the others
    are linked to the first one's, below which an encoder process goes on.

    Args:
        batch: What it encodes.
    """

    __slots__ = ("_current", "_spans", "_traced")

    def __init__(self, batch: Sequence[EncoderInput]) -> None:
        now = perf_counter()
        self._spans: list[tuple[RequestTrace, Span | None]] = []
        self._traced = False
        for image, _ in batch:
            _ENCODER[image.request.priority].observe(now - image.since)
            self._traced = self._traced or image.request.trace is not None
        if self._traced:
            self._begin(batch, now)

    def _begin(self, batch: Sequence[EncoderInput], now: float) -> None:
        of: dict[EncodingRequest[Any, Any], list[EncoderInput]] = {}
        for one in batch:
            if one.request.trace is not None:
                of.setdefault(one.request, []).append(one)
        links: list[Link] = []
        for request, inputs in of.items():
            if (trace := request.trace) is None:
                continue
            waited = min(one.image.since for one in inputs)
            trace.add("queue", waited, now, {"handful.queue": "encoder"})
            told = {"handful.batch.size": len(batch), "handful.batch.own": len(inputs)}
            span = trace.begin("encode", now, told, links)
            if span is not None and not links:
                links.append(Link(span.get_span_context()))
            self._spans.append((trace, span))
        first = self._spans[0][1]
        self._current = None if first is None else RequestTrace(first).current()
        if self._current is not None:
            self._current.__enter__()

    def end(self, error: BaseException | None = None) -> None:
        """It has ended, as it went; in the thread that began it."""
        if not self._traced:
            return
        if self._current is not None:
            self._current.__exit__(None, None, None)
        now = perf_counter()
        for trace, span in self._spans:
            trace.end(span, now, error)
