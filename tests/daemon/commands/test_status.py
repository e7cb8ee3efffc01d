"""`keyturn daemon status` for a person."""

import asyncio
from pathlib import Path

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
