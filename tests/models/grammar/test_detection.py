"""What is invalid is noticed: mutants judged by CPython's parser and by tree-sitter's own."""

import os
import random
import re
from collections import Counter

import pytest

from keyturn.models.grammar.languages import load_automaton
from keyturn.models.grammar.treesitter.automaton import Automaton
from keyturn.models.grammar.treesitter.parsing import ParseState
from support.corpus import (
    infilling,
    library_files,
    python_accepts,
    read,
    sample,
    sources,
    tree_sitter_accepts,
    valid_texts,
)

FILES = int(os.environ.get("KEYTURN_MUTANT_FILES", "60"))  # of Python; a quarter of other languages
TOKEN = re.compile(r"\w+|[^\w\s]|\s+")
LANGUAGES = ["javascript", "typescript", "go", "rust", "java", "c", "json"]


def mutant(text: str, rng: random.Random) -> str:
    """`text` with one token deleted, doubled, exchanged for another or put elsewhere."""
    tokens = TOKEN.findall(text)
    at, other = rng.randrange(len(tokens)), rng.randrange(len(tokens))
    match rng.randrange(4):
        case 0:
            del tokens[at]
        case 1:
            tokens.insert(at, tokens[at])
        case 2:
            tokens[at] = tokens[other]
        case _:
            tokens.insert(at, tokens[other])
    return "".join(tokens)


def oracle_accepts(automaton: Automaton, text: str) -> bool:
    """Whether the oracle takes the whole file, fed line by line."""
    state = ParseState.start(automaton)
    for line in text.splitlines(keepends=True):
        following = state.read(line)
        if following is None:
            return False
        if not isinstance(following, ParseState):
            return True
        state = following
    return state.can_finish()


def test_broken_python_is_noticed_and_valid_python_is_not_refused():
    automaton, rng, judged = load_automaton("python"), random.Random(1), Counter[str]()
    texts = [p["prompt"] + p["canonical_solution"] + p["suffix"] for p in infilling(
        "SingleLineInfilling")[::40]]  # fmt: skip
    for text in [*texts, sample("python")]:
        for _ in range(10):
            changed = mutant(text, rng)
            judged[judge(automaton, "python", changed, python_accepts(changed))] += 1
    assert judged["refused though valid"] == 0, judged
    assert judged["refused"] >= 0.98 * (judged["refused"] + judged["missed"]), judged
    assert judged["refused"] > 50


def judge(automaton: Automaton, language: str, text: str, valid: bool) -> str:
    """How the oracle did on one text, given the judge's verdict."""
    if oracle_accepts(automaton, text):
        return "accepted" if valid else "missed"
    if not valid:
        return "refused"
    # CPython may take what tree-sitter's grammar does not know; that is the grammar's gap.
    return "refused though valid" if tree_sitter_accepts(language, text) else "grammar's gap"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_tree_sitter_refuses_is_noticed_and_nothing_more(language: str):
    automaton, rng, judged = load_automaton(language), random.Random(2), Counter[str]()
    text = sample(language)
    for _ in range(60):
        changed = mutant(text, rng)
        valid = tree_sitter_accepts(language, changed)
        judged[judge(automaton, language, changed, valid)] += 1
    assert judged["refused though valid"] == 0, judged
    assert judged["refused"] >= 0.96 * (judged["refused"] + judged["missed"]), judged


@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_broken_python_of_the_standard_library_is_noticed(capsys: pytest.CaptureFixture[str]):
    automaton, rng, judged = load_automaton("python"), random.Random(5), Counter[str]()
    for path in library_files(FILES, seed=6):
        text = read(path)
        if len(text) > 20_000 or not tree_sitter_accepts("python", text):
            continue
        for _ in range(60):
            changed = mutant(text, rng)
            judged[judge(automaton, "python", changed, python_accepts(changed))] += 1
    with capsys.disabled():
        print(f"\npython: {dict(judged)}", flush=True)
    assert judged["refused though valid"] == 0, judged
    assert judged["missed"] <= max(1, 0.01 * (judged["refused"] + judged["missed"])), judged


@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_broken_code_of_real_files_is_noticed(capsys: pytest.CaptureFixture[str]):
    found = sources()
    for language in LANGUAGES:
        automaton, rng, judged = load_automaton(language), random.Random(7), Counter[str]()
        for _, text in valid_texts(language, found[language], FILES // 4):
            for _ in range(24):
                changed = mutant(text, rng)
                valid = tree_sitter_accepts(language, changed)
                judged[judge(automaton, language, changed, valid)] += 1
        with capsys.disabled():
            print(f"\n{language}: {dict(judged)}", end="", flush=True)
        assert judged["refused though valid"] == 0, (language, judged)
        assert judged["missed"] <= max(1, 0.04 * (judged["refused"] + judged["missed"])), (
            language,
            judged,
        )
