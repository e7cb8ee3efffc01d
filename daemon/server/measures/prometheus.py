"""The daemon's counts in Prometheus' text format, on a port of this machine only.

Needs `prometheus-client` (the `metrics` extra) and a port in the configuration. Served by the
event loop itself, which owns the counts.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

HOST = "127.0.0.1"
READ_SECONDS = 5.0
MOST_CONNECTIONS = 16  # at once; any user of this machine can make some
MAX_REQUEST_BYTES = 8_192
CUT_OFF = (asyncio.IncompleteReadError, asyncio.LimitOverrunError)


Measure = Callable[[], Awaitable[Mapping[str, Any]]]  # `Metrics.summary()` and the state


class SummaryCollector(Collector):
    """Metrics from what was measured just now."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        found = self._found
        yield _by(found["requests"], "keyturn_requests", "Completions asked for.", "ended")
        yield _by(found["outcomes"], "keyturn_outcomes", "What became of suggestions.", "outcome")
        characters = CounterMetricFamily("keyturn_accepted_characters", "Characters accepted.")
        characters.add_metric([], found["accepted_characters"])
        yield characters
        errors = CounterMetricFamily("keyturn_protocol_errors", "Malformed messages.")
        errors.add_metric([], found["protocol_errors"])
        yield errors
        latencies = GaugeMetricFamily(
            "keyturn_latency_milliseconds",
            "Of the newest completions.",
            labels=["phase", "percentile"],
        )
        for phase, values in found["latency_ms"].items():
            for name in ("p50", "p95"):
                latencies.add_metric([phase, name], values[name])
        yield latencies
        yield from _costs(found["costs"])
        yield from _engine(found["engine"])
        for name, help_text in (("clients", "Connected."), ("rss_bytes", "Resident memory.")):
            gauge = GaugeMetricFamily(f"keyturn_{name}", help_text)
            gauge.add_metric([], found[name])
            yield gauge


async def serve_metrics(port: int, measure: Measure) -> asyncio.Server:
    """Answer `GET /metrics` at `port`. Raises `OSError` if the port is taken."""
    connected = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connected
        if connected < MOST_CONNECTIONS:
            connected += 1
            try:
                await exchange(reader, writer)
            finally:
                connected -= 1
        writer.close()

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(TimeoutError, ConnectionError, *CUT_OFF):
            async with asyncio.timeout(READ_SECONDS):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(await _response(request, measure))
                await writer.drain()

    return await asyncio.start_server(answer, HOST, port, limit=MAX_REQUEST_BYTES)


async def _response(request: bytes, measure: Measure) -> bytes:
    if request.startswith((b"GET /metrics ", b"GET / ")):
        registry = CollectorRegistry()
        registry.register(SummaryCollector(await measure()))
        status, body = "200 OK", generate_latest(registry)
    else:
        status, body = "404 Not Found", b"metrics are at /metrics\n"
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def _costs(costs: Mapping[str, Any]) -> Iterator[Metric]:
    """Of suggestions, by how they were asked for (`costs.Costs`)."""
    times = GaugeMetricFamily(
        "keyturn_suggestion_milliseconds",
        "From the question to a suggestion's first token and to all of it, of the newest.",
        labels=["asked", "until", "percentile"],
    )
    drafted = GaugeMetricFamily(
        "keyturn_drafted_share", "Of the tokens suggested, of the newest.", labels=["asked"]
    )
    for asked, cost in costs.items():
        for until in ("first_token", "whole"):
            for percentile, ms in cost[f"{until}_ms"].items():
                times.add_metric([asked, until, percentile], ms)
        drafted.add_metric([asked], cost["drafted_share"])
    yield times
    yield drafted


def _engine(engine: Mapping[str, Any]) -> Iterator[Metric]:
    """How its model computes; nothing without one, or while the engine is too busy to say."""
    if "weight_bits" not in engine:
        return
    for name, help_text in (
        ("weight_bits", "Of each of the model's weights."),
        ("cache_bits", "Of each number in cached keys and values."),
        ("cache_bytes", "Cached keys and values."),
    ):
        gauge = GaugeMetricFamily(f"keyturn_{name}", help_text)
        gauge.add_metric([], engine[name])
        yield gauge
    kernels = GaugeMetricFamily("keyturn_kernels", "What multiplies.", labels=["kernels"])
    kernels.add_metric([engine["kernels"]], 1)
    yield kernels


def _by(counts: Mapping[str, int], name: str, help_text: str, label: str) -> CounterMetricFamily:
    family = CounterMetricFamily(name, help_text, labels=[label])
    for key, count in counts.items():
        family.add_metric([key], count)
    return family
