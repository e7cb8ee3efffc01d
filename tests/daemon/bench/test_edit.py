"""The measurements of edits run, with a tiny model; the times are not judged, the tokens are."""

import gzip
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from keyturn.daemon.bench import edit, traces
from keyturn.daemon.bench._peers import llama_cpp

FAKE_SERVER = """\
#!{python}
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({{}})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert body["cache_prompt"] and body["n_predict"] == 1
        self.answer({{"timings": {{"prompt_n": len(body["input_suffix"])}}}})

    def answer(self, value):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())

    def log_message(self, *_):
        pass

HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


@pytest.fixture
def where(tiny_folder: Path) -> list[str]:
    return ["--model", str(tiny_folder), "--device", "cpu", "--dtype", "float32"]


def test_an_edit_costs_its_own_tokens_with_segments_and_the_suffix_with_a_prefix_cache(
    where: list[str], tmp_path: Path
) -> None:
    options = ["--context", "256", "--context", "512", "--place", "cursor", "--place", "suffix"]
    count = ["--edits", "3", "--slow-edits", "3", "--json"]
    done = CliRunner().invoke(edit.command, [*where, *options, *count])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    encoded = {(r["arm"], r["tokens"], r["place"]): r["encoded"] for r in report["rows"]}
    for size in (256, 512):
        assert encoded["fresh prefill", size, "cursor"] > 0.9 * size
        assert encoded["prefix cache, PSM", size, "cursor"] > 0.3 * size
        assert encoded["prefix cache, suffix first", size, "suffix"] > 0.3 * size
        for arm in ("segments, PSM", "PIE, keys rewritten, PSM", "keyturn"):
            assert encoded[arm, size, "cursor"] < 60
        assert encoded["segments, PSM", size, "suffix"] < 60
    assert encoded["keyturn", 256, "cursor"] == encoded["keyturn", 512, "cursor"]
    assert report["ratios"]["prefix_cache_0k"] > 0


def test_the_ratios_are_theirs_over_ours_with_the_edit_at_the_cursor() -> None:
    def row(arm: str, tokens: int, median: float, place: str = "cursor") -> edit.Row:
        return edit.Row(arm, tokens, place, median, median, 1, attention_ms=median - 8)

    rows = [
        row(edit.OURS, 1024, 10.0),
        row(edit.OURS, 4096, 12.0),
        row(edit.OURS, 8192, 15.0),
        row("prefix cache, PSM", 4096, 240.0),
        row("prefix cache, PSM", 4096, 999.0, "start"),
        row("llama.cpp", 4096, 600.0),
    ]
    assert edit.ratios(rows) == {
        "prefix_cache_4k": 20.0,
        "llama_cpp_4k": 50.0,
        "growth_1k_to_8k": 1.5,
        "growth_apart_from_attention": 1.0,
    }


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    from keyturn.daemon.bench._latencies import draw

    rows = [edit.Row("a", n, "cursor", float(n), float(n), 1) for n in (1024, 2048)]
    draw(rows, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_llama_cpps_server_is_started_asked_and_stopped(tmp_path: Path) -> None:
    binary = tmp_path / "llama-server"
    binary.write_text(FAKE_SERVER.format(python=sys.executable))
    binary.chmod(0o755)
    with llama_cpp.LlamaServer(binary, Path("model.gguf"), 512, 1, 64) as server:
        took_ms, encoded = server.first_token("a", "bcd")
    assert took_ms > 0
    assert encoded == 3


def test_a_trace_is_replayed_with_a_completion_at_every_pause(
    where: list[str], tmp_path: Path
) -> None:
    line = "value = compute(first, second)\n"
    changes = [{"time": "2020-01-01T00:00:00.000Z", "patches": [[0, 0, line * 40]]}]
    for second, (position, deleted, new) in enumerate(
        [(310, 0, "x"), (311, 0, " = 1\n"), (900, 3, ""), (20, 0, "y\n"), (22, 2, "z")]
    ):
        stamp = f"2020-01-01T00:00:{10 * second + 10}.000Z"
        changes.append({"time": stamp, "patches": [[position, deleted, new]]})
    path = tmp_path / "made.json.gz"
    trace = {"startContent": "", "txns": changes}
    path.write_bytes(gzip.compress(json.dumps(trace).encode()))
    options = ["--json", "--skip", "0", "--idle", "0.3", "--context", "1024"]
    done = CliRunner().invoke(traces.command, [str(path), *where, *options, "--order", "psm"])
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)["figures"]["made"]
    assert figures["completions"] == 5
    assert figures["encoded_mean"] < figures["prefix_cache_encoded_mean"]
    assert 0 < figures["stale_share"] < 1
    assert 0 < figures["refresh_share"] < 1


def test_what_is_no_trace_is_refused(where: list[str], tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text("[]")
    done = CliRunner().invoke(traces.command, [str(path), *where])
    assert done.exit_code == 1
    assert "no editing trace" in done.output
