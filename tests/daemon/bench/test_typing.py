"""`keyturn bench typing` types what it says; the figures are not judged."""

import json
import subprocess
import sys
from itertools import accumulate
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.daemon.bench._peers.llama_cpp import LlamaServer
from keyturn.daemon.bench._typing.strokes import Gaps, Pause
from keyturn.daemon.bench._typing.typists import LlamaVim
from keyturn.daemon.bench.typing import OURS, THEIRS, Row, ratios
from support.editors.editor import keyturn

TEXT = "".join(
    f"def number_{n}():\n    value = {n}\n    return value + {n}\n\n\n" for n in range(30)
)

ECHO = """#!{python}
import http.server, json, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, found):
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer({{}})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer({{"content": json.dumps(asked)}})

    def log_message(self, *_):
        pass

port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@given(st.integers(1, 12), st.integers(0, 100))
def test_what_is_typed_at_the_places_it_was_taken_from_makes_the_file_whole(count: int, seed: int):
    gaps = Gaps(TEXT, count, Random(seed))
    text = gaps.text
    for number in range(len(gaps.typed)):
        pauses = list(gaps.pauses(number))
        before = pauses[0].before.removesuffix("".join(pauses[0].keys))
        assert before + pauses[0].after == text
        keys = ["".join(pause.keys) for pause in pauses]
        assert [pause.before for pause in pauses] == [before + each for each in accumulate(keys)]
        for pause in pauses:
            left = gaps.typed[number][len(pause.before) - len(before) :]
            assert pause.rest == left.split("\n")[0]
        text = pauses[-1].before + pauses[-1].after
    assert text == TEXT


def test_a_file_that_is_too_short_has_nothing_to_type():
    assert Gaps("a = 1\n", 3, Random(1)).typed == []


def test_llama_cpp_is_asked_as_its_plugin_for_vim_asks_it(tmp_path: Path):
    program = tmp_path / "llama-server"
    program.write_text(ECHO.format(python=sys.executable))
    program.chmod(0o755)
    before = "".join(f"line {n}\n" for n in range(300)) + "    value = "
    after = "\n" + "".join(f"behind {n}\n" for n in range(100))
    with LlamaServer(program, tmp_path / "no.gguf", 512) as server:
        shown = LlamaVim(server).pause(Pause(before, after, ("=", " "), "1"))
    asked = json.loads(shown.text)
    assert asked["input_prefix"].startswith("line 44\n")
    assert asked["input_prefix"].endswith("line 299\n")
    assert asked["prompt"] == "    value = "
    assert asked["n_indent"] == 4
    assert asked["input_suffix"].startswith("\nbehind 0\n")
    assert asked["input_suffix"].endswith("behind 63\n")
    assert not shown.known


def row(engine: str, pause: int, ms: float, known: bool = False) -> Row:
    return Row("a.py", pause, engine, ms, known, True, True)


def test_ratios_say_how_often_as_fast_and_leave_out_of_asked_what_one_of_them_knew():
    ours = [row(OURS, 0, 2.0), row(OURS, 1, 1.0, known=True), row(OURS, 2, 4.0)]
    theirs = [row(THEIRS, 0, 20.0), row(THEIRS, 1, 300.0), row(THEIRS, 2, 50.0, known=True)]
    assert ratios([*ours, *theirs]) == {
        "typing_p50_vs_llama_cpp": 25.0,
        "typing_p95_vs_llama_cpp": 75.0,
        "asked_p50_vs_llama_cpp": 10.0,
    }
    assert ratios(ours) == {}


def test_every_pause_of_a_file_is_answered_and_timed(tmp_path: Path):
    path = tmp_path / "numbers.py"
    path.write_text(TEXT)
    options = ("--stretches", "4", "--pause-seconds", "0.01", "--model", "lookup", "--json")
    done = subprocess.run(
        keyturn("bench", "typing", str(path), *options), capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    figures = found["engines"][OURS]["all"]
    rows = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert len(rows) == figures["pauses"] > 10
    assert all(each["ms"] > 0 for each in rows)
    assert figures["shown"] > 0
    assert found["ratios"] == {}
    assert "judge nothing" in done.stderr


def test_a_file_that_is_too_short_is_refused_with_what_to_do(tmp_path: Path):
    path = tmp_path / "short.py"
    path.write_text("a = 1\n")
    done = subprocess.run(
        keyturn("bench", "typing", str(path), "--model", "lookup"), capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "is too short: give it fewer --stretches" in done.stderr


@pytest.mark.parametrize("arguments", [(), ("--stretches", "0", "x.py"), ("no-such-file.py",)])
def test_wrong_arguments_are_refused(arguments: tuple[str, ...]):
    done = subprocess.run(keyturn("bench", "typing", *arguments), capture_output=True, text=True)
    assert done.returncode == 2
