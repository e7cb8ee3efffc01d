"""What is measured of next edits: cases that are right themselves, and figures of them."""

import ast
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from keyturn.daemon.bench._next_edit.case import Case
from keyturn.daemon.bench._next_edit.cases import cases
from keyturn.daemon.bench._next_edit.followed import follow
from keyturn.daemon.bench.next_edit import command
from keyturn.daemon.next_edit.proposal import Proposal
from keyturn.lsp.backend import TextEdit

CODE = """import os


class Box:
    def __init__(self, width, height):
        self.width = width
        self.height = height

    def area(self):
        return self.width * self.height


def show(box, name):
    area = box.area()
    print(name, area + 1)
    print(os.linesep, area)
    return area


def main():
    show(Box(1, 2), "one")
    show(Box(3, 4), "two")  # the second one
    return show(Box(5, 6), "three")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "box.py"
    path.write_text(CODE)
    return path


def test_every_case_is_of_code_that_parses_before_and_after(file: Path) -> None:
    found = cases([file], 10)
    kinds = {case.kind for case in found}
    assert {"removed parameter", "import", "number"} <= kinds
    assert any(kind.startswith("rename ") for kind in kinds)
    for case in found:
        text = case.text
        for edit in sorted((*case.done, *case.due), key=lambda edit: -edit.start):
            text = edit.apply(text)
        ast.parse(text)


def test_a_proposal_is_right_if_it_does_what_is_left_and_a_wrong_one_ends_the_case() -> None:
    case = Case(
        "", "", "a a a b", (TextEdit(0, 1, "x"),), (TextEdit(2, 3, "x"), TextEdit(4, 5, "x"))
    )
    answers = [Proposal(2, 3, "a", "x", ""), Proposal(6, 7, "b", "x", "")]
    found = follow(case, lambda *_: [answers.pop(0)])
    assert (found.right, found.shown, found.wrong) == (1, 2, Proposal(6, 7, "b", "x", ""))


def test_the_figures_come_as_json(file: Path) -> None:
    done = CliRunner().invoke(command, [str(file), "--json"], catch_exceptions=False)
    figures = json.loads(done.stdout)["figures"]
    assert figures["precision"] >= 0.9
    assert figures["recall"] >= 0.5
    assert figures["noise_silent"] >= 0.97
    assert figures["p95_ms"] > 0
