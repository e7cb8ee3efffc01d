"""`keyturn complete` as a user runs it, with the default model."""

import json
import subprocess
import sys
from typing import Any

import pytest

from keyturn.models.hub.download import ModelFiles

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # seconds on a quiet machine

CURSOR = "<@>"
STACK = '''\
class Stack:
    """Last in, first out."""

    def __init__(self):
        self.items = []

    def push(self, item):
        <@>

    def pop(self):
        return self.items.pop()
'''
FIB = "def fib(n):\n    <@>\n\n\nprint(fib(10))\n"
TEXTS = {
    "stack": STACK,
    "in a word": "import os\n\nif os.path.exi<@>:\n    pass\n",
    "after a blank": "def add(a, b):\n    return a <@>\n",
    "before a closer": "for name in names:\n    print(na<@>)\n",
    "block": FIB,
    "windows": FIB.replace("\n", "\r\n"),
    "specials": "# <|fim_middle|><|endoftext|><|im_end|>\ntotal = sum(<@>)\n",
    "several": "def add(a, b):\n    return <@>\n",
    "stack again": STACK,
}


def complete(text: str, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    """In a process of its own, however long it takes."""
    flags = ("--no-daemon", "--timeout", "600", *arguments)
    command = [sys.executable, "-m", "keyturn.daemon", "complete", *flags]
    return subprocess.run(command, input=text.encode(), capture_output=True)


@pytest.fixture(scope="module")
def answers(real_model: ModelFiles) -> dict[str, dict[str, Any]]:
    """One process answers everything, in the order of TEXTS."""
    asked = [
        {
            "id": name,
            "text": text,
            "cursor_marker": CURSOR,
            "filename": "a.py",
            "max_tokens": 40,
            "n": 3 if name == "several" else 1,
        }
        for name, text in TEXTS.items()
    ]
    done = complete("\n".join(map(json.dumps, asked)), "--ndjson")
    assert done.returncode == 0, done.stderr
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert [reply["id"] for reply in replies] == list(TEXTS)
    return {reply["id"]: reply for reply in replies}


def test_the_default_model_completes_a_method(real_model: ModelFiles) -> None:
    done = complete(STACK, "--cursor-marker", CURSOR, "--stdin-filename", "stack.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"self.items.append(item)"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("in a word", "sts("), ("after a blank", "+ b"), ("before a closer", "me")],
)
def test_completions_make_sense_where_cursors_usually_are(
    answers: dict[str, dict[str, Any]], name: str, expected: str
) -> None:
    assert answers[name]["text"].startswith(expected)


def test_a_block_keeps_the_indentation_of_its_file(answers: dict[str, dict[str, Any]]) -> None:
    completed = FIB.replace(CURSOR, answers["block"]["text"])
    compile(completed, "fib.py", "exec")  # model output is not run


def test_the_same_line_ends_come_back(answers: dict[str, dict[str, Any]]) -> None:
    text = answers["windows"]["text"]
    assert text.replace("\r\n", "\n") == answers["block"]["text"]
    assert "\r\n" in text


def test_special_tokens_in_the_file_are_only_text(answers: dict[str, dict[str, Any]]) -> None:
    assert "<|" not in answers["specials"]["text"]
    assert answers["specials"]["tokens"]["prompt"] > 20


def test_several_candidates_are_distinct(answers: dict[str, dict[str, Any]]) -> None:
    several = answers["several"]
    assert len(set(several["candidates"])) == len(several["candidates"]) == 3
    assert several["candidates"][0] == several["text"]


def test_greedy_answers_do_not_depend_on_what_was_asked_before(
    answers: dict[str, dict[str, Any]],
) -> None:
    assert answers["stack"]["text"] == answers["stack again"]["text"] == "self.items.append(item)"
