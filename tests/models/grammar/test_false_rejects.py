"""Nothing that is valid may be refused: the law of the whole folder."""

import random
from pathlib import Path

import pytest

from keyturn.daemon.workspace.language import language_of
from keyturn.models.grammar.languages import GRAMMARS, load_automaton
from keyturn.models.grammar.treesitter.left_context import LeftContext
from support.corpus import (
    SAMPLES,
    infilling,
    library_files,
    python_accepts,
    read,
    tree_sitter_accepts,
)

REACH = 160  # characters fed behind a cut


def document(language: str) -> LeftContext:
    return LeftContext(load_automaton(language), not GRAMMARS[language].layout)


def refusals(opened: LeftContext, text: str, cuts: int, rng: random.Random) -> list[str]:
    """Places where a cut of valid `text` was refused or not constrained."""
    found = []
    for cut in sorted(rng.randrange(1, len(text) + 1) for _ in range(cuts)):
        opening = opened.open(text[:cut])
        if not opening.constrained or opening.skipped_lines:
            found.append(f"{cut}: {opening.reason}")
            continue
        state, after, at = opening.state, text[cut : cut + REACH].encode(), 0
        while at < len(after):
            size = rng.randrange(1, 9)  # like a token: may end inside a character
            following = state.feed(after[at : at + size])
            if following is None:
                found.append(f"{cut}: {after[:at]!r} | {after[at : at + size]!r}")
                break
            state, at = following, at + size
    whole = opened.open(text)
    if not whole.state.can_finish():
        found.append("the end of the file")
    return found


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_cut_of_a_valid_file_can_go_on_as_the_file_does(path: Path):
    language = language_of(path.name).id
    text = read(path)
    assert tree_sitter_accepts(language, text), "the sample itself must be valid"
    assert language != "python" or python_accepts(text)
    assert refusals(document(language), text, cuts=25, rng=random.Random(path.name)) == []


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_valid_file_may_lack_its_last_line_break(path: Path):
    text = read(path).rstrip("\r\n")
    assert document(language_of(path.name).id).open(text).state.can_finish()


@pytest.mark.parametrize("language", ["c", "cpp"])
@pytest.mark.parametrize("line", ["#include <stdio.h>", '#include "a.h"', "#define X 1", "#endif"])
def test_a_file_may_end_with_a_directive(language: str, line: str):
    text = "#ifndef X\n" * (line == "#endif") + line
    assert document(language).open(text).state.can_finish()
    assert not document(language).open("int f(").state.can_finish()


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_valid_file_with_other_line_ends_can_go_on_too(path: Path):
    language = language_of(path.name).id
    text = read(path).replace("\n", "\r\n")
    if not tree_sitter_accepts(language, text):
        pytest.skip("tree-sitter itself refuses this file with carriage returns")
    assert refusals(document(language), text, cuts=6, rng=random.Random(path.name)) == []


def test_cuts_of_the_standard_library_can_go_on():
    tried = 0
    opened = document("python")
    for path in library_files(12, seed=3):
        text = read(path)
        if len(text) > 30_000 or not (python_accepts(text) and tree_sitter_accepts("python", text)):
            continue
        tried += 1
        assert refusals(opened, text, cuts=10, rng=random.Random(path.name)) == [], path
    assert tried >= 5


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_cuts_of_much_of_the_standard_library_can_go_on():
    opened, tried = document("python"), 0
    for path in library_files(150, seed=4):
        text = read(path)
        if not (python_accepts(text) and tree_sitter_accepts("python", text)):
            continue
        tried += 1
        assert refusals(opened, text, cuts=40, rng=random.Random(path.name)) == [], path
    assert tried >= 100


def middle_refused(opened: LeftContext, problem: dict[str, str]) -> str:
    """Where the true middle of an infilling problem is refused; empty if nowhere."""
    opening = opened.open(problem["prompt"])
    if not opening.constrained:
        return f"not constrained: {opening.reason}"
    state = opening.state
    for part in (problem["canonical_solution"], problem["suffix"]):
        data = part.encode()
        for at in range(0, len(data), 4):
            following = state.feed(data[at : at + 4])
            if following is None:
                return f"{data[: at + 4]!r}"
            state = following
    return "" if state.can_finish() else "the end"


@pytest.mark.parametrize("name", ["SingleLineInfilling", "RandomSpanInfillingLight"])
def test_true_middles_of_human_eval_infilling_are_accepted(name: str):
    opened = document("python")
    problems = infilling(name)[::12]
    refused = {p["task_id"]: why for p in problems if (why := middle_refused(opened, p))}
    assert refused == {}


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", ["SingleLineInfilling", "RandomSpanInfillingLight"])
def test_all_true_middles_of_human_eval_infilling_are_accepted(name: str):
    opened = document("python")
    refused = {p["task_id"]: why for p in infilling(name) if (why := middle_refused(opened, p))}
    assert refused == {}
