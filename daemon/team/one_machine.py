"""A server on this machine only: Ray, Serve and the application in one command, until it is told to
stop.
"""

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil
import ray
from ray import serve
from ray.exceptions import RayError

from ...cache.errors import KeyturnError
from .application import application
from .settings import ServerSettings

NAME = "keyturn"


class NotStarted(KeyturnError):
    """Serve did not come up; `str(error)` says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where it is served; with both files, by TLS."""

    host: str
    port: int
    certificate: str = ""
    key: str = ""

    @property
    def url(self) -> str:
        scheme = "https" if self.certificate else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"


def run(
    settings: ServerSettings,
    address: Address,
    replicas: int,
    gpus: float,
    metrics_port: int,
    ready: Callable[[], None],
) -> None:
    """Serve until SIGINT or SIGTERM. `gpus`: of each replica; `metrics_port`: for Prometheus, 0 for
    none. Raises `NotStarted`."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it tells nobody that it runs
    os.environ.setdefault("RAY_DEDUP_LOGS", "1")
    cores = len(psutil.Process().cpu_affinity() or []) or os.cpu_count() or 1
    each = max(1, cores // replicas)  # Ray gives every replica as many threads
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    ray.init(
        address="local",
        num_cpus=each * replicas,
        include_dashboard=False,
        _metrics_export_port=metrics_port or None,
    )
    try:
        options: dict[str, Any] = {
            "num_replicas": replicas,
            "ray_actor_options": {"num_cpus": each, "num_gpus": gpus},
        }
        try:
            serve.start(http_options=_http(address))
            serve.run(application(settings.plain(), options), name=NAME)
        except (RuntimeError, RayError) as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise NotStarted(f"the server did not come up: {said[-1]}") from error
        ready()
        stopped.wait()
        serve.shutdown()
    finally:
        ray.shutdown()


def _http(address: Address) -> dict[str, Any]:
    options: dict[str, Any] = {"host": address.host, "port": address.port}
    if address.certificate:
        options |= {"ssl_certfile": address.certificate, "ssl_keyfile": address.key}
    return options
