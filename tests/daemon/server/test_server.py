"""The daemon's server and its client over a real socket, with a tiny engine behind them."""

import asyncio
import gc
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keyturn.daemon import protocol
from keyturn.daemon.client.startup import connect_or_start
from keyturn.daemon.paths import DaemonPaths
from keyturn.daemon.server import jobs
from keyturn.daemon.server.idle_limits import Due, IdleLimits
from keyturn.lsp.backend import (
    BackendError,
    Feedback,
    OpenDocument,
    Outcome,
    Phase,
    ProjectRules,
    Refresh,
    StatusQuery,
    Superseded,
    TextEdit,
    UseModel,
)
from support.daemon.running import URI, Daemon, ready, request
from support.daemon.small_engine import suggestion
from support.until import until_async


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    async with Daemon(tmp_path / "run") as daemon:
        yield daemon


async def test_a_completion_sees_every_edit_that_was_sent_before_it(daemon: Daemon):
    client = daemon.client()
    await ready(client, "ab")
    client.edit(URI, 2, (TextEdit(1, 1, "X"), TextEdit(0, 1, "é😀")))
    [completion] = await client.complete(request(2, 3))
    assert completion.text == suggestion(2, 3, "é😀Xb")


async def test_what_an_editor_allows_of_a_project_reaches_the_engine_with_each_document(
    daemon: Daemon,
):
    client = daemon.client()
    await ready(client)
    engine = daemon.maker.made[0]
    for rules in (ProjectRules(True, ("*.gen.py", "a/*")), ProjectRules(False), ProjectRules()):
        client.open(OpenDocument(URI, "python", 1, "text", rules))

        async def is_told(rules: ProjectRules = rules) -> bool:
            return [*engine.allowed.values()] == [rules]

        await until_async(is_told, "the engine knows")
    client.edit(URI, 2, (TextEdit(0, 0, "more "),))
    [completion] = await client.complete(request(2, 0))
    assert completion.text == suggestion(2, 0, "more text")


async def test_clients_with_the_same_file_open_do_not_see_each_others_edits(daemon: Daemon):
    one, two = daemon.client(), daemon.client()
    await ready(one, "one")
    await ready(two, "two")
    one.edit(URI, 2, (TextEdit(0, 0, "1"),))
    [first], [second] = await asyncio.gather(one.complete(request(2)), two.complete(request(1)))
    assert first.text == suggestion(2, 0, "1one")
    assert second.text == suggestion(1, 0, "two")


async def test_a_superseded_request_is_answered_and_its_work_really_stops(daemon: Daemon):
    client = daemon.client()
    await ready(client, "SLOW")
    older = asyncio.create_task(client.complete(request(1, 0, deadline_ms=60_000)))
    engine = daemon.maker.made[0]
    assert await asyncio.to_thread(engine.begun.wait, 10)
    client.edit(URI, 2, (TextEdit(0, 4, "fast"),))
    [newer] = await client.complete(request(2, 0))
    with pytest.raises(Superseded):
        await older
    assert engine.stopped.is_set()
    assert newer.text == suggestion(2, 0, "fast")


async def test_what_is_outstanding_at_a_hand_over_is_answered_as_cancelled(daemon: Daemon):
    client = daemon.client()
    await ready(client, "SLOW")
    asked = asyncio.create_task(client.complete(request(1, 0, deadline_ms=60_000)))
    engine = daemon.maker.made[0]
    assert await asyncio.to_thread(engine.begun.wait, 10)
    newer = Daemon(daemon.paths.runtime, version="2.0")

    async def spawn(paths: DaemonPaths) -> None:
        assert not paths.socket.exists()
        await newer.__aenter__()

    hello = protocol.Hello(protocol.PROTOCOL, "2.0", "test", 1)
    link = await connect_or_start(daemon.paths, hello, spawn)
    assert link.welcome.version == "2.0"
    with pytest.raises(Superseded):
        await asked
    assert await asyncio.to_thread(engine.stopped.wait, 10)
    assert daemon.running is not None
    await daemon.running
    daemon.running = None
    link.close()
    await newer.__aexit__()


async def test_cancelling_the_task_stops_the_work(daemon: Daemon):
    client = daemon.client()
    await ready(client, "SLOW")
    asked = asyncio.create_task(client.complete(request(1, 0, deadline_ms=60_000)))
    engine = daemon.maker.made[0]
    assert await asyncio.to_thread(engine.begun.wait, 10)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert await asyncio.to_thread(engine.stopped.wait, 10)


async def test_the_deadline_ends_a_request_even_while_the_model_loads(tmp_path: Path):
    daemon = Daemon(tmp_path)
    daemon.maker.gate.clear()
    async with daemon:
        client = daemon.client()
        await client.control(StatusQuery())
        client.open(OpenDocument(URI, "python", 1, "text"))
        with pytest.raises(BackendError, match="deadline"):
            await client.complete(request(deadline_ms=20))
        daemon.maker.gate.set()
        [completion] = await client.complete(request())
        assert completion.text == suggestion(1, 0, "text")


async def test_an_answered_request_is_forgotten_long_before_its_deadline(daemon: Daemon):
    client = daemon.client()
    await ready(client)
    before = jobs_alive()
    for _ in range(300):
        await client.complete(request(deadline_ms=3_600_000))
    gc.collect()
    assert jobs_alive() - before < 150  # those of cancelled timers go when they are many


def jobs_alive() -> int:
    return sum(type(each) is jobs.Complete for each in gc.get_objects())


async def test_a_request_for_a_document_or_a_version_unknown_is_an_error(daemon: Daemon):
    client = daemon.client()
    await ready(client)
    for wrong in (request(2), request(1, 99), request(1, uri="file:///no")):
        with pytest.raises(BackendError, match="not open"):
            await client.complete(wrong)


async def test_an_error_in_the_engine_is_an_answer_and_the_service_goes_on(daemon: Daemon):
    client = daemon.client()
    await ready(client, "BREAK")
    with pytest.raises(BackendError, match="broken on purpose"):
        await client.complete(request())
    client.edit(URI, 2, (TextEdit(0, 5, "fine"),))
    assert len(await client.complete(request(2))) == 1


async def test_a_model_that_cannot_be_loaded_is_said_so_and_another_can_be_chosen(daemon: Daemon):
    client = daemon.client()
    await ready(client)
    daemon.maker.error = RuntimeError("no such model; try another")
    await client.control(UseModel("bad"))
    with pytest.raises(BackendError, match="try another"):
        await client.complete(request())
    daemon.maker.error = None
    assert await client.control(UseModel("good")) == {"model": "good"}
    [completion] = await client.complete(request())
    assert completion.meta.model == "good"
    phases = [(state.phase, state.model) for state in daemon.states]
    assert (Phase.FAILED, "bad") in phases
    assert phases[-1] == (Phase.READY, "good")
    assert daemon.maker.made[0].closed


async def test_a_model_that_failed_to_load_is_not_tried_again_for_every_request(daemon: Daemon):
    client = daemon.client()
    await ready(client)
    daemon.maker.error = RuntimeError("no such model")
    await client.control(UseModel("bad"))
    attempts: list[int] = []
    for _ in range(3):
        with pytest.raises(BackendError, match="no such model"):
            await client.complete(request())
        attempts.append(daemon.maker.attempts)
    assert attempts == [3, 3, 3]  # at the start, the bad one, and the one before it again


async def test_an_engine_that_does_not_come_back_costs_a_request_its_deadline_only(daemon: Daemon):
    await ready(daemon.client(), "STUCK")
    reader, writer = await daemon.raw()
    for message in (
        protocol.Hello(protocol.PROTOCOL, "1.0", "test", 1),
        protocol.Open(OpenDocument("file:///b", "", 1, "STUCK")),
        protocol.Complete(7, request(1, 0, "file:///b", deadline_ms=50)),
    ):
        writer.write(protocol.pack(message))
    found = [await protocol.read(reader, protocol.FromDaemon) for _ in range(3)]
    [failed] = [each for each in found if isinstance(each, protocol.Failed)]
    assert (failed.id, failed.why) == (7, protocol.Why.DEADLINE)
    daemon.maker.made[0].release.set()
    writer.close()


async def test_who_sends_edits_faster_than_they_are_made_is_made_to_wait(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("keyturn.daemon.server.connection.MAX_BACKLOG", 10)
    client, other = daemon.client(), daemon.client()
    await ready(client, "STUCK")
    await ready(other, uri="file:///b")
    asking = asyncio.create_task(client.complete(request()))
    engine = daemon.maker.made[0]
    assert await asyncio.to_thread(engine.begun.wait, 10)
    client.open(OpenDocument("file:///c", "python", 1, ""))
    for version in range(2, 60):  # of one file, they would be one
        client.edit(URI, version, (TextEdit(0, 0, "x"),))
        client.edit("file:///c", version, (TextEdit(0, 0, "x"),))
    await until_async(lambda: daemon.server.engine.backlog() > 10, "edits wait")
    for _ in range(3):  # the loop goes round, and takes no more of them
        await other.control(Feedback(URI, Outcome.ACCEPTED, 1))
    assert daemon.server.engine.backlog() <= 12
    engine.release.set()
    with pytest.raises(BackendError):
        await asking
    found = await client.complete(request(59))
    assert found[0].text.startswith("59:")


async def test_a_model_that_does_not_exist_takes_nobody_the_present_one(
    daemon: Daemon, caplog: pytest.LogCaptureFixture
):
    client = daemon.client()
    await ready(client)
    daemon.maker.unknown.add("nosuch")
    await client.control(UseModel("nosuch"))
    [completion] = await client.complete(request())
    assert completion.meta.model == "tiny"
    said = [(state.phase, state.message) for state in daemon.states]
    assert (Phase.FAILED, "unknown model 'nosuch'") in said
    assert said[-1] == (Phase.READY, "unknown model 'nosuch'; going on with tiny")
    [logged] = [r for r in caplog.records if "unknown model" in r.getMessage()]
    assert not logged.exc_info  # no traceback for a name misspelt


async def test_the_next_model_is_the_next_of_those_configured(daemon: Daemon):
    client = daemon.client()
    await ready(client)
    assert await client.control(UseModel()) == {"model": "other"}
    await client.complete(request())
    assert await client.control(UseModel()) == {"model": "tiny"}


async def test_the_status_tells_of_requests_clients_and_outcomes(daemon: Daemon):
    client = daemon.client()
    await ready(client)
    await client.complete(request())
    await client.control(Feedback(URI, Outcome.ACCEPTED, 7))
    await client.control(Feedback(URI, Outcome.REJECTED, 0))
    status = await client.control(StatusQuery())
    assert status["requests"] == {"completed": 1}
    assert status["acceptance"] == 0.5
    assert status["accepted_characters"] == 7
    assert status["engine"]["open_files"] == 1
    assert status["engine"]["device"] == "none"
    assert status["clients"] == [{"client": "test", "pid": os.getpid()}]
    assert status["latency_ms"]["total"]["n"] == 1


async def test_the_text_can_be_compared_without_sending_it(daemon: Daemon):
    client = daemon.client()
    await ready(client, "a")
    client.edit(URI, 2, (TextEdit(1, 1, "é"),))
    answer = await client.control(protocol.Digest(URI))
    assert answer == {"version": 2, "sha256": hashlib.sha256("aé".encode()).hexdigest()}


async def test_a_client_that_leaves_takes_its_files_and_its_requests_along(daemon: Daemon):
    client = daemon.client()
    await ready(client)
    _, writer = await daemon.raw()
    for message in (
        protocol.Hello(protocol.PROTOCOL, "1.0", "test", 1),
        protocol.Open(OpenDocument("file:///b", "", 1, "SLOW")),
        protocol.Complete(1, request(1, 0, "file:///b", deadline_ms=60_000)),
    ):
        writer.write(protocol.pack(message))
    engine = daemon.maker.made[0]
    assert await asyncio.to_thread(engine.begun.wait, 10)
    writer.close()
    assert await asyncio.to_thread(engine.stopped.wait, 10)

    async def one_is_left() -> bool:
        return (await client.control(StatusQuery()))["engine"].get("open_files") == 1

    await until_async(one_is_left, "the client's file is closed, and the other's is open")
    assert [key.uri for key in engine.forgotten] == ["file:///b"]


async def test_idle_refreshing_is_done_when_nothing_else_is(daemon: Daemon):
    client = daemon.client()
    await ready(client)
    await client.control(Refresh(URI))
    engine = daemon.maker.made[0]
    await until_async(lambda: len(engine.refreshed) == 2, "a second refresh")
    assert [key and key.uri for key in engine.refreshed] == [None, URI]


async def test_what_loading_left_for_later_is_done_while_no_document_is_open(daemon: Daemon):
    made = daemon.maker.made
    await until_async(lambda: made and made[0].refreshed, "a refresh")
    assert daemon.maker.made[0].refreshed == [None]


async def test_the_model_is_freed_when_unused_and_comes_back_when_asked(tmp_path: Path):
    async with Daemon(tmp_path, IdleLimits(free_seconds=0.05, exit_seconds=0)) as daemon:
        client = daemon.client()
        await ready(client)
        await client.complete(request())
        await until_async(
            lambda: daemon.states[-1].phase is Phase.ASLEEP, "an unused model is freed"
        )
        assert daemon.maker.made[0].closed
        [completion] = await client.complete(request())
        assert completion.text == suggestion(1, 0, "text")
        assert len(daemon.maker.made) == 2


async def test_a_daemon_that_nobody_uses_leaves_and_takes_its_socket_along(tmp_path: Path):
    async with Daemon(tmp_path, IdleLimits(free_seconds=0, exit_seconds=0.05)) as daemon:
        assert daemon.running is not None
        await daemon.running
        assert not daemon.paths.socket.exists()
        daemon.running = None


def test_what_is_due_when():
    limits = IdleLimits(free_seconds=10, exit_seconds=20)
    assert limits.due(5, None, loaded=True) is Due.NOTHING
    assert limits.due(11, None, loaded=True) is Due.FREE
    assert limits.due(11, 11, loaded=False) is Due.NOTHING
    assert limits.due(99, 21, loaded=True) is Due.EXIT
    assert limits.due(99, 19, loaded=False) is Due.NOTHING  # a client was here not long ago
    assert IdleLimits(0, 0).due(1e9, 1e9, loaded=True) is Due.NOTHING
