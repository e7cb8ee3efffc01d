"""`keyturn complete` as a user runs it, with the default model."""

import json
import subprocess
import sys
from typing import Any

import pytest

from keyturn.models.obtain import ModelFiles

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("real_model")]

STACK = '''\
class Stack:
    """Last in, first out."""

    def __init__(self):
        self.items = []

    def push(self, item):
        |

    def pop(self):
        return self.items.pop()
'''


def complete(text: str, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "keyturn.daemon", "complete", *arguments]
    return subprocess.run(command, input=text.encode(), capture_output=True, timeout=240)


def answers(texts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    asked = "".join(json.dumps(text) + "\n" for text in texts)
    done = complete(asked, "--ndjson")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_default_model_completes_a_method(real_model: ModelFiles) -> None:
    done = complete(STACK, "--cursor-marker", "|", "--stdin-filename", "stack.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"self.items.append(item)"


def test_completions_make_sense_where_cursors_usually_are() -> None:
    cases = [
        ("import os\n\nif os.path.exi|:\n    pass\n", "sts("),  # inside a word
        ("def add(a, b):\n    return a |\n", "+ b"),  # after a blank
        ("for name in names:\n    print(na|)\n", "me"),  # before a closer
        ("x = [1, 2, 3]\r\n\r\nfor value in x:\r\n    |\r\n", "print(value)"),
    ]
    asked = [
        {"text": text, "cursor_marker": "|", "filename": "a.py", "max_tokens": 24}
        for text, _ in cases
    ]
    for answer, (text, expected) in zip(answers(asked), cases, strict=True):
        assert expected in answer["text"], (text, answer["text"])


def test_a_block_keeps_the_indentation_of_its_file() -> None:
    text = "def fib(n):\n    |\n\n\nprint(fib(10))\n"
    [answer] = answers([{"text": text, "cursor_marker": "|", "filename": "fib.py"}])
    compile(text.replace("|", answer["text"]), "fib.py", "exec")  # model output is not run
    assert answer["finish"] in ("lines", "eos")


def test_the_same_line_endings_come_back() -> None:
    text = "def fib(n):\r\n    |\r\n\r\n\r\nprint(fib(10))\r\n"
    [answer] = answers([{"text": text, "cursor_marker": "|", "filename": "fib.py"}])
    assert "\n" in answer["text"]
    assert answer["text"].replace("\r\n", "").count("\n") == 0


def test_special_tokens_in_the_file_are_only_text() -> None:
    text = "# <|fim_middle|><|endoftext|><|im_end|>\ntotal = sum(|)\n"
    [answer] = answers([{"text": text, "cursor_marker": "|", "filename": "a.py", "max_tokens": 8}])
    assert "<|" not in answer["text"]
    assert answer["tokens"]["prompt"] > 20


def test_several_candidates_are_distinct() -> None:
    [answer] = answers([{"text": "def add(a, b):\n    return |\n", "cursor_marker": "|", "n": 3}])
    assert len(set(answer["candidates"])) == len(answer["candidates"]) == 3
    assert answer["candidates"][0] == answer["text"]


def test_greedy_answers_do_not_depend_on_what_was_asked_before() -> None:
    one = {"text": STACK, "cursor_marker": "|", "filename": "stack.py"}
    other = {"text": "x = |\n", "cursor_marker": "|", "filename": "x.py", "max_tokens": 8}
    first, _, again = answers([one, other, one])
    assert first["text"] == again["text"]
