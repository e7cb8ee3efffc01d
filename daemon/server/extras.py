"""Extras of a daemon that listens: the watch on its configuration and model, the metrics."""

import logging
from collections.abc import Callable
from contextlib import AsyncExitStack

from ..config import Config
from . import jobs
from .reloading import model_watcher
from .server import DaemonServer

logger = logging.getLogger(__name__)


async def start_extras(server: DaemonServer, reread: Callable[[], Config]) -> AsyncExitStack:
    """All that the configuration asks for; close the stack to stop it."""
    extras = AsyncExitStack()
    watcher = model_watcher(
        reread, lambda: server.engine.put(jobs.Load("")), server.calibration.keep
    )
    watcher.start()
    extras.callback(watcher.stop)
    port = reread().daemon.metrics_port
    if port:
        try:
            from .measures.prometheus import serve_metrics

            metrics = await serve_metrics(port, server.measured)
            extras.callback(metrics.close)
        except ImportError:
            logger.error("no metrics at port %d: install keyturn[metrics]", port)
        except OSError as error:
            logger.error("no metrics at port %d: %s", port, error)
    return extras
