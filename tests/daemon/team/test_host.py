"""One replica: the files of several users, each as its client has it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from keyturn.api.chunk import Chunk
from keyturn.api.request import CompletionOptions, CompletionRequest
from keyturn.api.uris import KEPT_SCHEME
from keyturn.daemon.remote.messages import (
    MOST_CHUNKS,
    Ask,
    BadMessage,
    Changed,
    FileState,
    Step,
    Surroundings,
    Whole,
    chunks_digest,
    digest_of,
)
from keyturn.daemon.team import host as module
from keyturn.daemon.team.host import (
    EngineFailed,
    Host,
    HostedFile,
    NotLoaded,
    Overdue,
    Overtaken,
    UnknownFile,
)
from keyturn.lsp.backend import TextEdit
from keyturn.models.errors import ModelError
from support.daemon.small_engine import TinyMaker, suggestion
from support.until import until_async


@pytest.fixture
async def maker() -> TinyMaker:
    return TinyMaker()


@pytest.fixture
async def host(maker: TinyMaker) -> AsyncIterator[Host]:
    host = Host(maker)
    await host.ready()
    yield host
    host.close()
    await asyncio.to_thread(host.engine.join, 10)


def whole(text: str, revision: int = 1) -> FileState:
    return FileState("a.py", "python", revision, digest_of(text), Whole(text))


def changed(text: str, revision: int, base: int, *steps: Step) -> FileState:
    return FileState("a.py", "python", revision, digest_of(text), Changed(base, steps))


def ask(state: FileState, deadline_ms: int = 5_000, offset: int = 0) -> Ask:
    options = CompletionOptions(deadline_ms=deadline_ms)
    return Ask(state, CompletionRequest("", 0, offset, options=options))


def typed(revision: int, at: int, text: str) -> Step:
    return Step(revision, (TextEdit(at, at, text),))


async def text_of(file: HostedFile, state: FileState) -> str:
    (found,) = await file.complete(ask(state))
    return found.text


async def test_a_file_is_completed_as_it_is_after_the_edits(host: Host) -> None:
    file = host.file("ann")
    assert await text_of(file, whole("one")) == suggestion(1, 0, "one")
    file.follow(changed("one!", 2, 1, typed(2, 3, "!")))
    state = changed("one!?", 3, 1, typed(2, 3, "!"), typed(3, 4, "?"))
    assert await text_of(file, state) == suggestion(3, 0, "one!?")
    assert await text_of(file, state) == suggestion(3, 0, "one!?")  # asked once more


async def test_what_is_not_known_as_the_client_thinks_is_asked_for(host: Host) -> None:
    file = host.file("ann")
    for state in (
        changed("one!", 2, 1, typed(2, 3, "!")),  # nothing is known
        replace(whole("one"), digest=digest_of("two")),
    ):
        with pytest.raises(UnknownFile):
            file.follow(state)
    file.follow(whole("one"))
    for state in (
        changed("one!", 5, 4, typed(5, 3, "!")),  # revisions between are missing
        changed("two!", 2, 1, typed(2, 3, "!")),  # it was another text
        changed("one!", 2, 1, typed(2, 99, "!")),
    ):
        with pytest.raises(UnknownFile):
            file.follow(state)
    assert await text_of(file, whole("two", 9)) == suggestion(9, 0, "two")


async def test_what_would_take_long_is_wanted_whole(host: Host) -> None:
    file, text = host.file("ann"), "x" * 1_000_000
    file.follow(whole(text))
    edits = tuple(TextEdit(0, 0, "y") for _ in range(4_000))
    with pytest.raises(UnknownFile, match="send it whole"):
        file.follow(changed("y" * 4_000 + text, 2, 1, Step(2, edits)))


async def test_no_name_makes_two_users_share_a_file(host: Host, maker: TinyMaker) -> None:
    for user in ("ann", "bob"):
        text = f"{user}'s"
        state = FileState("keyturn-file:a", "python", 1, digest_of(text), Whole(text))
        assert await text_of(host.file(user), state) == suggestion(1, 0, text)
    assert not any(uri.startswith(KEPT_SCHEME) for uri in maker.made[0].completed)


async def test_what_comes_late_changes_nothing(host: Host) -> None:
    file = host.file("ann")
    file.follow(whole("one"))
    file.follow(changed("one!?", 3, 1, typed(2, 3, "!"), typed(3, 4, "?")))
    with pytest.raises(Overtaken):
        file.follow(changed("one!", 2, 1, typed(2, 3, "!")))
    assert await text_of(file, changed("one!?", 3, 3)) == suggestion(3, 0, "one!?")


async def test_a_file_that_was_closed_is_not_known(host: Host, maker: TinyMaker) -> None:
    file = host.file("ann")
    await text_of(file, whole("one"))
    file.close()
    file.close()
    await until_async(lambda: len(maker.made[0].forgotten) == 1, "the engine forgets it")
    with pytest.raises(UnknownFile):
        file.follow(changed("one!", 2, 1, typed(2, 3, "!")))


CHUNKS = (Chunk("b.py", 3, "b", "# b.py\ndef b(): ...\n\n"),)


async def test_a_file_is_shown_what_its_user_says_until_that_is_taken_back(
    host: Host, maker: TinyMaker
) -> None:
    file, shown = host.file("ann"), maker.made[0].shown
    with pytest.raises(UnknownFile):
        file.surround(Surroundings(CHUNKS))
    same = replace(whole("one"), chunks=chunks_digest(CHUNKS))
    await text_of(file, same)
    assert file.chunks == ""  # nobody has said which
    file.surround(Surroundings(CHUNKS))
    assert file.chunks == chunks_digest(CHUNKS)
    await text_of(file, same)
    await text_of(file, replace(whole("two", 2), chunks=same.chunks))
    await text_of(host.file("bob"), whole("one"))
    await text_of(file, whole("three", 3))  # whose client wants nothing shown
    assert shown == [(), CHUNKS, CHUNKS, (), ()]
    file.close()
    assert file.chunks == ""


async def test_more_chunks_than_anybody_needs_are_refused(host: Host) -> None:
    file = host.file("ann")
    file.follow(whole("one"))
    for chunks in (CHUNKS * (MOST_CHUNKS + 1), (replace(CHUNKS[0], text="x" * 10**6),)):
        with pytest.raises(BadMessage):
            file.surround(Surroundings(chunks))
    assert file.chunks == ""


async def test_the_deadline_counts_and_who_goes_stops_the_work(
    host: Host, maker: TinyMaker
) -> None:
    file, engine = host.file("ann"), maker.made[0]
    with pytest.raises(Overdue):
        await file.complete(ask(whole("STUCK"), deadline_ms=20))
    engine.release.set()
    engine.begun.clear()
    asked = asyncio.create_task(file.complete(ask(whole("SLOW", 2), deadline_ms=60_000)))
    await until_async(engine.begun.is_set, "it has begun")
    asked.cancel()
    await until_async(engine.stopped.is_set, "it stops")


async def test_nobody_keeps_the_engine_longer_than_a_team_can_wait(
    host: Host, maker: TinyMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_DEADLINE_MS", 50)
    file = host.file("ann")
    (found,) = await file.complete(ask(whole("SLOW"), deadline_ms=3_600_000))
    assert found.text == suggestion(1, 0, "SLOW")


async def test_what_the_engine_cannot_answer_is_said_and_the_next_is_answered(host: Host) -> None:
    file = host.file("ann")
    with pytest.raises(EngineFailed, match="broken on purpose"):
        await file.complete(ask(whole("BREAK")))
    with pytest.raises(UnknownFile):
        await file.complete(ask(whole("one", 2), offset=99))
    assert await text_of(file, whole("one", 3)) == suggestion(3, 0, "one")


async def test_without_a_model_it_is_not_ready_and_says_why(maker: TinyMaker) -> None:
    maker.error = ModelError("no such model")
    host = Host(maker)
    with pytest.raises(NotLoaded, match="no such model"):
        await host.ready()
    with pytest.raises(NotLoaded, match="no such model"):
        host.check()
    host.close()
    await asyncio.to_thread(host.engine.join, 10)


async def test_users_take_turns_however_many_files_one_of_them_asks_about(
    host: Host, maker: TinyMaker
) -> None:
    engine = maker.made[0]
    stuck = host.file("bob")
    held = asyncio.create_task(stuck.complete(ask(whole("STUCK"))))
    await until_async(engine.begun.is_set, "the engine is busy")
    order: list[str] = []

    async def one(user: str, number: int) -> None:
        await host.file(user).complete(ask(whole(f"{user} {number}")))
        order.append(user)

    flood = [asyncio.create_task(one("bob", number)) for number in range(20)]
    await asyncio.sleep(0)
    late = asyncio.create_task(one("ann", 0))
    await asyncio.sleep(0)
    engine.release.set()
    await held
    await asyncio.gather(*flood, late)
    assert order.index("ann") <= 1
