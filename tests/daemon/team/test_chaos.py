"""A server under twenty users, of which a replica dies every half minute."""

import asyncio
import tempfile
import threading
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from keyturn.daemon.bench._team.judged import figures
from keyturn.daemon.bench._team.own_server import own_server
from keyturn.daemon.bench._team.typist import Asked, Typist
from keyturn.daemon.bench.team import locally, texts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

SECONDS, KILL_SECONDS = 600.0, 30.0
USERS = [f"user{number}" for number in range(20)]


def test_nothing_is_lost_nor_wrong_and_files_stay_where_they_are() -> None:
    with tempfile.TemporaryDirectory(prefix="kt") as folder:
        temporary = {"RAY_TMPDIR": folder}
        with own_server(Path(folder), "lookup", USERS, 2, temporary) as server:
            over = threading.Event()
            killed = 0

            def kill() -> None:
                nonlocal killed
                draw = Random(7)
                while not over.wait(KILL_SECONDS):
                    if victims := server.replicas():
                        draw.choice(victims).kill()
                        killed += 1

            killer = threading.Thread(target=kill)
            killer.start()
            typists = [
                Typist(user, f"{user}.py", text, server.url, server.tokens[user], seed)
                for seed, (user, text) in enumerate(zip(USERS, texts(len(USERS)), strict=True))
            ]

            async def type_all() -> None:
                end = time.monotonic() + SECONDS
                await asyncio.gather(*(each.type_until(end) for each in typists))
                for each in typists:
                    await each.close()

            asyncio.run(type_all())
            over.set()
            killer.join()
    asked = [question for each in typists for question in each.asked]
    found = figures(asked, [], locally())
    print(found, f"{killed} killed")
    assert killed >= SECONDS / KILL_SECONDS - 1
    assert (found["unanswered"], found["wrong"]) == (0, 0), {each.error for each in asked}
    assert moves_that_need_not_have_been(asked) <= 0.005 * len(asked)


def moves_that_need_not_have_been(asked: list[Asked]) -> int:
    """Questions that went elsewhere although the replica before was alive, and answered others
    later."""
    last: dict[str, float] = {}
    files: dict[str, list[Asked]] = defaultdict(list)
    for each in sorted(asked, key=lambda each: each.at):
        last[each.replica] = each.at
        files[each.user].append(each)
    pairs = [pair for file in files.values() for pair in pairwise(file)]
    found = sum(a.replica != b.replica and last[a.replica] > b.at for a, b in pairs)
    print(f"{found} moves besides those of dead replicas' files, of {len(pairs)} questions")
    return found
