"""`keyturn daemon status` for a person."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest

from keyturn.api.request import Trigger
from keyturn.daemon import protocol
from keyturn.daemon.commands._status import lines
from keyturn.lsp.backend import Feedback, Outcome, StatusQuery
from support.daemon.model_engines import ask, model_engine
from support.daemon.running import Daemon, ready, request
from support.models.tiny_tokenizer import PAGE


async def test_everything_that_the_daemon_knows_is_a_line(tmp_path: Path):
    async with Daemon(tmp_path / "run") as daemon:
        client = daemon.client()
        await ready(client)
        await client.complete(request())
        await client.control(Feedback("file:///a", Outcome.ACCEPTED, 7))
        reader, writer = await daemon.raw()
        writer.write(b"\0\0\0\1?")
        assert isinstance(await protocol.read(reader, protocol.FromDaemon), protocol.Refused)
        writer.close()
        status = await client.control(StatusQuery())
    made = model_engine(2)
    await asyncio.to_thread(ask, made, "a", PAGE, 300)
    said = list(lines({**status, "engine": made.status()}))
    packing = {**status, "engine": {**made.status(), "kernels_to_pack": 3}}
    assert [line for line in lines(packing) if line not in said] == [
        "packing    3 kernels, in idle time; decoding is slower until then"
    ]
    beside = {"model": "m", "problem": "it is not there"}
    shown = {**status, "engine": {**made.status(), "next_edit": beside}}
    assert "next edits m: it is not there" in lines(shown)
    beside = {"model": "m", "format": "sweep", "asked": 3, "proposed": 1, "tokens_a_pass": 8.8}
    shown = {**status, "engine": {**made.status(), "next_edit": beside}}
    assert (
        "next edits m, in the format of sweep: 8.8 tokens a pass, windows asked for 3, proposed 1"
        in lines(shown)
    )
    made.close()
    assert said[0].startswith("keyturn 1.0, process ")
    assert "model      tiny, ready" in said
    assert next(line.split() for line in said if line.startswith("memory"))[2] == "MB"
    assert any(line.startswith("clients    test (") for line in said)
    assert "device     cpu" in said
    assert any(line.startswith("kernels    float32") for line in said)
    [cached] = [line for line in said if line.startswith("cached")]
    assert cached.startswith("cached     file:///a.py: ")
    assert cached.endswith(" tokens, 0% stale")
    assert "requests   1 completed" in said
    assert "refused    1 malformed messages" in said
    assert any(line.startswith("total      p50 ") for line in said)
    assert said[-1] == "accepted   100% of suggestions"


async def test_what_suggestions_cost_is_told_apart_for_those_asked_for_by_hand(tmp_path: Path):
    async with Daemon(tmp_path / "run", make=lambda *_: model_engine(2)) as daemon:
        client = daemon.client()
        await ready(client, PAGE)
        for offset in (300, 301, 302):
            await client.complete(request(offset=offset, max_tokens=4))
        asked = replace(request(offset=310, candidates=3, max_tokens=4), trigger=Trigger.INVOKED)
        await client.complete(asked)
        status = await client.control(StatusQuery())
    costs = status["costs"]
    assert {kind: cost["n"] for kind, cost in costs.items()} == {"automatic": 3, "explicit": 1}
    for cost in costs.values():
        assert 0 < cost["first_token_ms"]["p50"] <= cost["whole_ms"]["p50"]
        assert cost["whole_ms"]["p50"] <= cost["whole_ms"]["p95"]
        assert 0 <= cost["drafted_share"] <= 1
        assert cost["tokens"] > 0
    said = {line.split()[0]: line for line in lines(status)}
    times = r"\d+ ms \(95%: \d+\)"
    for kind, count in (("automatic", 3), ("explicit", 1)):
        form = rf"first token after {times}, all of it after {times}, \d+% of tokens from drafts"
        assert re.fullmatch(rf"{kind} +{form}; the last {count}", said[kind])
    assert said["bits"] == "bits       32 in weights, 32 in keys and values"
    assert said["kernels"].startswith("kernels    float32")


@pytest.mark.parametrize("text", ["", "# Copyright 2026 The authors\n"])
async def test_what_the_model_was_not_asked_for_makes_no_suggestion_look_cheap(
    tmp_path: Path, text: str
):
    async with Daemon(tmp_path / "run", make=lambda *_: model_engine(2)) as daemon:
        client = daemon.client()
        await ready(client, text)
        assert [each.text for each in await client.complete(request(offset=len(text)))] == [""]
        status = await client.control(StatusQuery())
    assert status["requests"] == {"completed": 1}
    assert status["costs"] == {}


async def test_without_a_model_there_are_no_costs_and_no_bits(tmp_path: Path):
    async with Daemon(tmp_path / "run") as daemon:
        client = daemon.client()
        await ready(client)
        await client.complete(request())
        said = {line.split()[0] for line in lines(await client.control(StatusQuery()))}
    assert "total" in said
    assert not said & {"automatic", "explicit", "bits"}
