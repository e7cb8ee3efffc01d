"""The daemon's counts in Prometheus' text format, on a port of this machine only.

Needs `prometheus-client` (the `metrics` extra), which serves them, and a port in the
configuration.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

HOST = "127.0.0.1"
SUMMARY_SECONDS = 5.0


class SummaryCollector(Collector):
    """Metrics from `Metrics.summary()` and the state."""

    def __init__(self, summary: Callable[[], Mapping[str, Any]]) -> None:
        self._summary = summary

    def collect(self) -> Iterator[Metric]:
        found = self._summary()
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
        for name, help_text in (("clients", "Connected."), ("rss_bytes", "Resident memory.")):
            gauge = GaugeMetricFamily(f"keyturn_{name}", help_text)
            gauge.add_metric([], found[name])
            yield gauge


def serve_metrics(port: int, summary: Callable[[], Mapping[str, Any]]) -> Callable[[], None]:
    """Answer at `port` from now on, from threads of its own; until the function returned is
    called, which takes half a second. `summary` is called on the event loop that runs now, which
    owns the counts. Raises `OSError` if the port is taken."""
    loop = asyncio.get_running_loop()

    async def summarised() -> Mapping[str, Any]:
        return summary()

    def from_the_loop() -> Mapping[str, Any]:
        return asyncio.run_coroutine_threadsafe(summarised(), loop).result(SUMMARY_SECONDS)

    registry = CollectorRegistry()
    registry.register(SummaryCollector(from_the_loop))
    server, _ = start_http_server(port, HOST, registry)

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop


def _by(counts: Mapping[str, int], name: str, help_text: str, label: str) -> CounterMetricFamily:
    family = CounterMetricFamily(name, help_text, labels=[label])
    for key, count in counts.items():
        family.add_metric([key], count)
    return family
