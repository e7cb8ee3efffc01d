"""Where HTTP comes in: who asks, whether they may, how much, and to which replica it goes.

Bodies pass through unread. A replica that dies while it answers is nobody's loss: the request goes
to another one, which does not know the file and says so.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any

from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..remote.messages import CONTENT_TYPE, FILE_HEADER, KEY_CHARACTERS, MOST_BODY_BYTES, key_of
from .answer import Answer, failed
from .quota import Quota, TooMuch
from .settings import ServerSettings
from .tokens import Tokens

logger = logging.getLogger("ray.serve")

TRIES = 3  # replicas that die in the middle of the same request
KEY = re.compile(f"[0-9a-f]{{{KEY_CHARACTERS}}}")
HEALTH_SECONDS = 2.0


class Refused(Exception):
    """The request goes no further."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Ingress:
    """The routes, and what stands before them."""

    def __init__(self, settings: dict[str, Any], engine: DeploymentHandle) -> None:
        known = ServerSettings.of(settings)
        self._tokens = Tokens(known.tokens_file)
        self._quota = Quota(known.limits)
        self._body_seconds = known.limits.body_seconds
        self._engine = engine

    def __serve_build_asgi_app__(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/edit", self._guarded("edit"), methods=["POST"]),
                Route("/v1/project", self._guarded("surround"), methods=["POST"]),
                Route("/v1/complete", self._guarded("complete"), methods=["POST"]),
                Route("/v1/close", self._guarded("close"), methods=["POST"]),
                Route("/v1/about", self._about, methods=["GET"]),
                Route("/healthz", self._health, methods=["GET"]),
            ]
        )

    # region Routes
    def _guarded(self, method: str) -> Callable[[Request], Awaitable[Response]]:
        """A route to a replica's `method`, for users within their quota."""

        async def route(request: Request) -> Response:
            try:
                user = self._user(request)
                key = self._file(request)
                async with self._quota.turn(user):  # bodies take memory, too
                    whole = method != "close"
                    arguments = await self._body(user, request) if whole else (user,)
                    answer = await self._ask(method, user, key, arguments)
            except Refused as refused:
                answer = refused.answer
            except TooMuch as error:
                answer = failed(429, str(error), **{"retry-after": f"{max(1, error.seconds):.0f}"})
            except ClientDisconnect:
                answer = Answer(499)  # nobody reads it
            return Response(answer.body, answer.status, answer.headers)

        return route

    async def _about(self, request: Request) -> Response:
        try:
            self._user(request)
        except Refused as refused:
            answer = refused.answer
            return Response(answer.body, answer.status, answer.headers)
        return await self._of_a_replica()

    async def _health(self, request: Request) -> Response:
        """Says nothing but whether there is a replica with a model: no token is asked for."""
        found = await self._of_a_replica()
        return JSONResponse({"ok": found.status_code == 200}, found.status_code)

    async def _of_a_replica(self) -> Response:
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                return JSONResponse(await self._engine.about.remote())
        except Exception as error:  # whatever Ray says of a replica: it is not there
            logger.warning("no replica answers: %s", type(error).__name__)
            return JSONResponse({"error": "no replica can answer yet"}, 503)

    # endregion
    # region Who, what and where
    def _user(self, request: Request) -> str:
        if not self._tokens.are_needed and not _is_local(request):
            message = "without tokens only this machine is served: see `keyturn serve token`"
            raise Refused(failed(403, message))
        user = self._tokens.user(request.headers.get("authorization"))
        if user is None:
            logger.warning("refused: no valid token")
            message = "a valid token is needed: Authorization: Bearer TOKEN"
            raise Refused(failed(401, message, **{"www-authenticate": "Bearer"}))
        return user

    def _file(self, request: Request) -> str:
        key = request.headers.get(FILE_HEADER, "")
        if not KEY.fullmatch(key):
            raise Refused(failed(400, f"{FILE_HEADER} must be {KEY_CHARACTERS} hexadecimal digits"))
        return key

    async def _body(self, user: str, request: Request) -> tuple[Any, ...]:
        """As a replica's method takes it."""
        if request.headers.get("content-type", "") != CONTENT_TYPE:
            raise Refused(failed(415, f"the body must be {CONTENT_TYPE}"))
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_seconds):
                async for piece in request.stream():
                    body += piece
                    if len(body) > MOST_BODY_BYTES:
                        raise Refused(failed(413, f"more than {MOST_BODY_BYTES:,} bytes"))
        except TimeoutError:
            raise Refused(failed(408, "the request did not arrive in time")) from None
        return user, bytes(body), request.headers.get("content-encoding")

    async def _ask(self, method: str, user: str, key: str, arguments: tuple[Any, ...]) -> Answer:
        """A user's key for a file is nobody else's: theirs are other files by the same key."""
        routed = self._engine.options(multiplexed_model_id=f"{key_of(user)}/{key}")
        for _ in range(TRIES):
            try:
                return await getattr(routed, method).remote(*arguments)
            except RayActorError:
                logger.warning("a replica died while it answered; the request goes to another one")
            except (BackPressureError, DeploymentUnavailableError):
                break
        return failed(503, "no replica can answer", **{"retry-after": "1"})

    # endregion


def _is_local(request: Request) -> bool:
    """Whether it was sent on this machine, and by no proxy for somebody else."""
    if request.client is None or "x-forwarded-for" in request.headers:
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False
