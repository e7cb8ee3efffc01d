"""A server on this machine only: Ray, Serve and the application in one command, until it is told to
stop. Told to read its settings again, it replaces its replicas one by one.
"""

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import psutil
import ray
from ray import serve
from ray.exceptions import RayError

from ...cache.errors import KeyturnError
from .application import application
from .settings import ServerSettings

logger = logging.getLogger(__name__)

NAME = "keyturn"


class Stopped(BaseException):
    """A signal said so."""


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
    settings: Callable[[], ServerSettings],
    address: Address,
    replicas: int,
    gpus: float,
    metrics_port: int,
    ready: Callable[[], None],
) -> None:
    """Serve until SIGINT or SIGTERM; at SIGHUP anew, with what the settings are by then. `gpus`: of
    each replica; `metrics_port`: for Prometheus, 0 for none. Raises `NotStarted`."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it tells nobody that it runs
    os.environ.setdefault("RAY_DEDUP_LOGS", "1")
    cores = len(psutil.Process().cpu_affinity() or []) or os.cpu_count() or 1
    each = max(1, cores // replicas)  # Ray gives every replica as many threads
    options: dict[str, Any] = {
        "num_replicas": replicas,
        "ray_actor_options": {"num_cpus": each, "num_gpus": gpus},
    }

    def deploy() -> None:
        try:
            serve.start(http_options=_http(address))
            serve.run(application(settings().plain(), options), name=NAME)
        except (RuntimeError, RayError) as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise NotStarted(f"the server did not come up: {said[-1]}") from error
        ready()

    signals = Signals()
    signals.listen()
    try:
        ray.init(
            address="local",
            num_cpus=each * replicas,
            include_dashboard=False,
            _metrics_export_port=metrics_port or None,
        )
        signals.listen()  # Ray has its own handlers
        with signals.stopping():
            deploy()
            while signals.again.get():
                try:
                    deploy()
                except KeyturnError as error:
                    logger.error("what was configured is not served: %s", error)
    except Stopped:
        serve.shutdown()
    finally:
        ray.shutdown()


class Signals:
    """What this process is told: SIGHUP puts something into `again`, SIGINT and SIGTERM stop it."""

    def __init__(self) -> None:
        self.again = SimpleQueue[int]()
        self._is_over = False
        self._stops = False  # now; else as soon as that does no harm

    def listen(self) -> None:
        signal.signal(signal.SIGHUP, lambda number, _: self.again.put(number))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    @contextmanager
    def stopping(self) -> Iterator[None]:
        """Raises `Stopped` in what is done with it, as soon as that is told."""
        self._stops = True
        if self._is_over:
            raise Stopped
        try:
            yield
        finally:
            self._stops = False

    def _stop(self, *_: object) -> None:
        self._is_over = True
        if self._stops:
            self._stops = False  # stopping is not stopped
            raise Stopped


def _http(address: Address) -> dict[str, Any]:
    options: dict[str, Any] = {"host": address.host, "port": address.port}
    if address.certificate:
        options |= {"ssl_certfile": address.certificate, "ssl_keyfile": address.key}
    return options
