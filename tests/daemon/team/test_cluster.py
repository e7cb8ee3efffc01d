"""A server on several machines (nodes of a Ray cluster here), deployed by Serve's own commands and
deployed again while people type, and what becomes of their questions then.
"""

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from keyturn.daemon.bench._team.judged import figures
from keyturn.daemon.bench._team.typist import Typist
from keyturn.daemon.bench.team import locally, texts
from keyturn.daemon.team.tokens import add
from keyturn.models.hub.download import ModelFiles
from keyturn.models.hub.registry import DEFAULT_MODEL
from support.daemon.ray_cluster import RayCluster, ray_cluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

USERS = [f"user{number}" for number in range(10)]
BEFORE_SECONDS, AFTER_SECONDS = 10.0, 15.0


@dataclass(frozen=True)
class Team:
    """A cluster of two nodes with three replicas, and its users' tokens."""

    cluster: RayCluster
    tokens: Path
    known: dict[str, str]

    def deploy(self, **more: Any) -> None:
        """Anew, and wait until it is there."""
        self.cluster.deploy(self.tokens, 3, **more)
        self.cluster.wait()

    def typed(self, meanwhile: Callable[[], None]) -> dict[str, Any]:
        """What comes of the questions of all users, who type before, while and after something
        is done to the server."""
        over = threading.Event()
        failed: list[BaseException] = []

        def act() -> None:
            time.sleep(BEFORE_SECONDS)
            try:
                meanwhile()
            except BaseException as error:
                failed.append(error)
            over.set()

        acting = threading.Thread(target=act)
        acting.start()
        typists = [
            Typist(user, f"{user}.py", text, self.cluster.url, self.known[user], seed)
            for seed, (user, text) in enumerate(zip(USERS, texts(len(USERS)), strict=True))
        ]

        async def type_all() -> None:
            while not over.is_set():
                end = time.monotonic() + AFTER_SECONDS
                await asyncio.gather(*(each.type_until(end) for each in typists))
            for each in typists:
                await each.close()

        asyncio.run(type_all())
        acting.join()
        assert not failed, failed
        asked = [question for each in typists for question in each.asked]
        found = figures(asked, [], locally())
        errors = {each.error for each in asked if each.error}
        print(found, errors)
        return {**found, "errors": errors}


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    with tempfile.TemporaryDirectory(prefix="kt") as name:
        folder = Path(name)
        tokens = folder / "tokens"
        known = {user: add(tokens, user) for user in USERS}
        with ray_cluster(folder, 2) as cluster:
            made = Team(cluster, tokens, known)
            made.deploy(args={})
            yield made


def test_nothing_is_lost_nor_wrong_while_replicas_are_replaced(team: Team) -> None:
    before = {each.pid for each in team.cluster.replicas()}
    found = team.typed(lambda: team.deploy(args={"forget_minutes": 20}))
    assert len(before) == 3
    assert not before & {each.pid for each in team.cluster.replicas()}
    assert (found["unanswered"], found["wrong"]) == (0, 0), found["errors"]


def test_nothing_is_lost_where_a_node_dies(team: Team) -> None:
    found = team.typed(team.cluster.kill_last_node)
    assert (found["unanswered"], found["wrong"]) == (0, 0), found["errors"]
    team.cluster.join()
    team.cluster.wait()


def test_another_model_takes_over_without_a_lost_question(
    team: Team, real_model: ModelFiles
) -> None:
    found = team.typed(lambda: team.deploy(args={"model": {"name": DEFAULT_MODEL}}))
    assert found["unanswered"] == 0, found["errors"]
