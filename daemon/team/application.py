"""The Serve application: `keyturn.daemon.team.application:build` in a Serve configuration."""

from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.config import RequestRouterConfig

from .file_router import FileRouter
from .ingress import Ingress
from .replica import Replica
from .settings import ServerSettings
from .tokens import Tokens

ENGINE, INGRESS = "Engine", "Ingress"  # the deployments' names


def build(settings: dict[str, Any]) -> Application:
    """From the `args` of a Serve configuration. Raises `InputError` for what is not a setting."""
    return application(settings, {})


def application(settings: dict[str, Any], engine_options: dict[str, Any]) -> Application:
    """With options of Serve's for the engine's deployment."""
    Tokens(ServerSettings.of(settings).tokens_file)  # what is wrong is said here, and not by every
    # replica, of which some have been ended by then
    routing: Any = {"request_router_class": FileRouter}  # Serve's types are its own
    engine = serve.deployment(
        name=ENGINE,
        max_ongoing_requests=128,
        health_check_period_s=5,
        graceful_shutdown_timeout_s=20,
        request_router_config=RequestRouterConfig(**routing),
        **engine_options,
    )(Replica)
    ingress = serve.deployment(
        name=INGRESS, max_ongoing_requests=1_000, ray_actor_options={"num_cpus": 0}
    )(serve.ingress()(Ingress))
    return ingress.bind(settings, engine.bind(settings))
