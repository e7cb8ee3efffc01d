"""What runs beside the daemon: the watch on files it depends on, the metrics for Prometheus."""

import asyncio
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from keyturn.daemon.config import Config, load_config
from keyturn.daemon.server.calibration import Calibration
from keyturn.daemon.server.extras import start_extras
from keyturn.daemon.server.measures.prometheus import MOST_CONNECTIONS
from keyturn.daemon.workspace.watch import Watcher
from keyturn.lsp.backend import Feedback, Outcome, StatusQuery
from support.daemon.model_engines import model_engine
from support.daemon.running import Daemon, ready, request
from support.models.tiny_tokenizer import PAGE
from support.until import until_async


async def test_a_burst_of_changes_counts_once_and_other_files_do_not(tmp_path: Path):
    watched, other = tmp_path / "config.toml", tmp_path / "other.toml"
    seen, others = asyncio.Queue[None](), asyncio.Queue[None]()
    watcher = Watcher([watched], lambda: seen.put_nowait(None))
    watcher.start()
    witness = Watcher([other], lambda: others.put_nowait(None))
    try:
        for _ in range(5):
            other.write_text("a")
            watched.write_text("b")
        await asyncio.wait_for(seen.get(), 20)
        replacement = tmp_path / "config.toml.new"
        replacement.write_text("c")
        replacement.rename(watched)  # as editors save
        await asyncio.wait_for(seen.get(), 20)
        watched.read_text()
        witness.start()
        other.write_text("d")
        await asyncio.wait_for(others.get(), 20)
        watched.write_text("e")
        await asyncio.wait_for(seen.get(), 20)
        assert seen.empty()
    finally:
        watcher.stop()
        witness.stop()


async def test_what_does_not_exist_yet_or_no_more_is_noticed_when_it_comes(tmp_path: Path):
    watched = tmp_path / "made" / "later" / "config.toml"
    seen = asyncio.Queue[None]()
    watcher = Watcher([watched], lambda: seen.put_nowait(None))
    watcher.start()
    try:
        for _ in range(2):
            watched.parent.mkdir(parents=True)
            await asyncio.wait_for(seen.get(), 20)
            watched.write_text("a")
            await asyncio.wait_for(seen.get(), 20)
            shutil.rmtree(tmp_path / "made")
            await asyncio.wait_for(seen.get(), 20)
    finally:
        watcher.stop()


async def test_a_changed_choice_of_model_is_loaded_and_other_settings_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "config"
    folder.mkdir()
    file = folder / "config.toml"
    monkeypatch.setenv("KEYTURN_CONFIG_DIR", str(folder))

    read: list[Config] = []

    def reread() -> Config:
        read.append(load_config(workspace=tmp_path))
        return read[-1]

    async with Daemon(tmp_path / "run") as daemon:
        client = daemon.client()
        await ready(client)
        extras = await start_extras(daemon.server, reread)
        file.write_text("[daemon]\nexit_minutes = 3\n")
        await until_async(lambda: read[-1].daemon.exit_minutes == 3, "the settings are read again")
        file.write_text("[model]\nname = 'other'\n")
        await until_async(lambda: len(daemon.maker.made) > 1, "the other model is loaded")
        assert len(await client.complete(request())) == 1
        looked = len(read)
        file.write_text("[model\nname = 'other'\n")
        await until_async(lambda: len(read) > looked, "the broken file is read")
        assert not read[-1].whole
        assert len(await client.complete(request())) == 1
        assert len(daemon.maker.made) == 2  # and is no reason to load another model
        await extras.aclose()


async def test_whether_a_daemon_learns_is_heard_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("KEYTURN_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "config").mkdir()
    kept = tmp_path / "feedback.txt"
    outcome = Feedback("file:///a", Outcome.ACCEPTED, 5, likely=0.5, right=True)
    async with Daemon(tmp_path / "run") as daemon:
        learning = daemon.server.calibration = Calibration(kept)
        client = daemon.client()
        await ready(client)
        extras = await start_extras(daemon.server, lambda: load_config(workspace=tmp_path))
        await client.control(outcome)
        assert len(kept.read_text().splitlines()) == 1
        (tmp_path / "config" / "config.toml").write_text("[daemon]\nlearn = false\n")
        await until_async(lambda: not learning.summary()["suggestions"], "it learns no more")
        await client.control(outcome)
        assert len(kept.read_text().splitlines()) == 1
        await extras.aclose()


async def test_a_local_model_is_loaded_again_when_its_files_change_also_one_chosen_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("KEYTURN_CONFIG_DIR", str(tmp_path / "config"))
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("1")
    async with Daemon(tmp_path / "run") as daemon:
        await ready(daemon.client())
        extras = await start_extras(daemon.server, lambda: load_config(workspace=tmp_path))
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "config.toml").write_text(f"[model]\nname = '{model}'\n")
        await until_async(lambda: len(daemon.maker.made) > 1, "the model chosen is loaded")
        (model / "config.json").write_text("2")
        await until_async(lambda: len(daemon.maker.made) > 2, "its new files are loaded")
        await extras.aclose()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def get(port: int, path: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    return answer


async def test_prometheus_reads_the_counts(tmp_path: Path):
    port = free_port()
    config = load_config({"daemon.metrics_port": port}, tmp_path, {}, tmp_path)
    async with Daemon(tmp_path / "run") as daemon:
        extras = await start_extras(daemon.server, lambda: config)
        client = daemon.client()
        await ready(client)
        await client.complete(request())
        await client.control(Feedback("file:///a", Outcome.ACCEPTED, 5))
        text = await get(port, "/metrics")
        assert 'keyturn_requests_total{ended="completed"} 1.0' in text
        assert 'keyturn_outcomes_total{outcome="accepted"} 1.0' in text
        assert "keyturn_accepted_characters_total 5.0" in text
        assert 'keyturn_latency_milliseconds{percentile="p50",phase="total"}' in text
        assert "keyturn_clients 1.0" in text
        assert (await get(port, "/other")).startswith("HTTP/1.1 404")
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_CONNECTIONS)]
        silent.append(await asyncio.open_connection("127.0.0.1", port))
        assert await silent[-1][0].read() == b""  # one more than are heard at once
        for _, writer in silent:
            writer.close()
        assert (await client.control(StatusQuery()))["phase"] == "ready"
        await extras.aclose()


async def test_prometheus_reads_what_suggestions_cost_and_how_the_model_computes(tmp_path: Path):
    port = free_port()
    config = load_config({"daemon.metrics_port": port}, tmp_path, {}, tmp_path)
    async with Daemon(tmp_path / "run", make=lambda *_: model_engine(2)) as daemon:
        extras = await start_extras(daemon.server, lambda: config)
        client = daemon.client()
        await ready(client, PAGE)
        await client.complete(request(offset=300, max_tokens=4))
        text = await get(port, "/metrics")
        for until in ("first_token", "whole"):
            labels = f'asked="automatic",percentile="p95",until="{until}"'
            assert f"keyturn_suggestion_milliseconds{{{labels}}}" in text
        assert 'keyturn_drafted_share{asked="automatic"}' in text
        assert "keyturn_weight_bits 32.0" in text
        assert "keyturn_cache_bits 32.0" in text
        assert 'keyturn_kernels{kernels="float32 (float32 weights)"} 1.0' in text
        await extras.aclose()


async def test_a_port_that_is_taken_costs_the_metrics_only(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = load_config({}, tmp_path, {}, tmp_path)
        daemon_settings = replace(config.daemon, metrics_port=taken.getsockname()[1])
        config = replace(config, daemon=daemon_settings)
        async with Daemon(tmp_path / "run") as daemon:
            extras = await start_extras(daemon.server, lambda: config)
            client = daemon.client()
            await ready(client)
            assert len(await client.complete(request())) == 1
            await extras.aclose()
