"""A server on this machine only: Ray, Serve and the application in one command, until it is told to
stop. Told to read its settings again, it replaces its replicas one by one.
"""

import logging
import os
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import psutil
import ray
from ray import serve
from ray.exceptions import RayError

from ...cache.errors import InputError, KeyturnError
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
    ready: Callable[[ServerSettings], None],
) -> None:
    """Serve until SIGINT or SIGTERM; at SIGHUP anew, with what the settings are by then, or as
    before if that cannot be served. `gpus`: of each replica; `metrics_port`: for Prometheus, 0 for
    none. `ready` is told what is served. Raises `NotStarted`, and `InputError` for settings and
    files that cannot be used."""
    known, tls = settings(), _http(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it tells nobody that it runs
    os.environ.setdefault("RAY_DEDUP_LOGS", "1")
    cores = len(psutil.Process().cpu_affinity() or []) or os.cpu_count() or 1
    each = max(1, cores // replicas)  # Ray gives every replica as many threads
    options: dict[str, Any] = {
        "num_replicas": replicas,
        "ray_actor_options": {"num_cpus": each, "num_gpus": gpus},
    }

    def deploy(wanted: ServerSettings) -> None:
        try:
            serve.run(application(wanted.plain(), options), name=NAME)
        except (RuntimeError, RayError) as error:
            raise NotStarted(_said(error)) from error
        ready(wanted)

    def again() -> None:
        """What is configured by now; if it cannot be served, what was: Serve has ended some of its
        replicas by then."""
        nonlocal known
        try:
            wanted = settings()
        except KeyturnError as error:
            logger.error("all stays as it is: %s", error)
            return
        try:
            deploy(wanted)
            known = wanted
        except NotStarted as error:
            logger.error("%s; going on with %s", error, known.model.name)
            try:
                deploy(known)
            except NotStarted as worse:
                logger.error("%s, either: put it right, and send SIGHUP again", worse)

    signals = Signals()
    signals.listen()
    try:
        try:
            ray.init(
                address="local",
                num_cpus=each * replicas,
                include_dashboard=False,
                _metrics_export_port=metrics_port or None,
            )
            found = ray.cluster_resources().get("GPU", 0)
            if gpus * replicas > found:
                raise NotStarted(
                    f"{replicas} × {gpus:g} GPUs are wanted, and Ray finds {found:g} here: see"
                    " --gpus and --replicas"
                )
            serve.start(http_options=tls)
        except (RuntimeError, RayError, OSError, ValueError) as error:
            raise NotStarted(_said(error)) from error
        signals.listen()  # Ray has its own handlers
        with signals.stopping():
            deploy(known)
            while signals.wait():
                again()
    except Stopped:
        serve.shutdown()
    finally:
        ray.shutdown()


class Signals:
    """What this process is told."""

    def __init__(self) -> None:
        self._again = SimpleQueue[int]()
        self._is_over = False
        self._stops = False  # now; else as soon as that does no harm

    def listen(self) -> None:
        signal.signal(signal.SIGHUP, lambda number, _: self._again.put(number))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def wait(self) -> bool:
        """Until SIGHUP; several that came meanwhile are one."""
        self._again.get()
        while not self._again.empty():
            self._again.get()
        return True

    @contextmanager
    def stopping(self) -> Iterator[None]:
        """Raises `Stopped` in what is done with it, at SIGINT and SIGTERM."""
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


def _said(error: Exception) -> str:
    said = str(error).strip().splitlines() or [type(error).__name__]
    return f"the server did not come up: {said[-1]}"


def _http(address: Address) -> dict[str, Any]:
    """Raises `InputError` for an address that is in use, and for a certificate and a key that are
    none: Serve says nothing of either."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.create_server((address.host, address.port), family=family):
            pass  # Ray would share it with another server
    except OSError as error:
        raise InputError(
            f"{address.host}:{address.port} cannot be served at: {error.strerror}"
        ) from error
    options: dict[str, Any] = {"host": address.host, "port": address.port}
    if address.certificate:
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(address.certificate, address.key)
        except (OSError, ValueError) as error:  # ssl.SSLError is one
            raise InputError(
                f"{address.certificate} and {address.key} are no certificate and its key: {error}"
            ) from error
        options |= {"ssl_certfile": address.certificate, "ssl_keyfile": address.key}
    return options
