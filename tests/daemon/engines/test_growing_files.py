"""Windows that grow share one budget: none takes from another file, and a closed one is done. And
what a first answer waits for does not depend on how long its file is.
"""

from dataclasses import replace
from typing import Any

import pytest

from keyturn.api.uris import path_of
from keyturn.cache.budget import Budget
from keyturn.cache.plan import Repair
from keyturn.daemon.completion.completer import CompleterOptions
from keyturn.daemon.completion.growth import NARROW_TOKENS
from keyturn.daemon.completion.idle_refresh import IdleWork, Refresher
from keyturn.daemon.engines.model_engine import ModelEngine
from keyturn.daemon.file_text import FileText
from keyturn.daemon.server.engine import File
from keyturn.daemon.server.jobs import FileKey
from support.daemon.model_engines import ask, bytes_per_token, tiny_loaded

CONTEXT = 3_072
TEXT = "".join(f"def f{n}(a, b):\n    c = a[{n}]\n    return c + b\n\n" for n in range(600))
AT = TEXT.index("    c = a[300]")
LARGEST = 32_000  # what the model could see


def engine(tokens: int) -> ModelEngine:
    """With a budget for so many tokens of all files together."""
    options = CompleterOptions(context_tokens=CONTEXT, repair=Repair(exact=0))
    budget = Budget(tokens * bytes_per_token())
    refresher = Refresher(IdleWork.FULL, lambda: False, clock=lambda: 0.0)  # in long steps
    return ModelEngine(tiny_loaded(LARGEST), options, path_of, budget, refresher)


def key(name: str) -> FileKey:
    return FileKey(1, f"file:///{name}.py")


def idle(made: ModelEngine, name: str, looks: int = 100_000) -> None:
    """Idle time that ends when it has been asked so often whether it is over."""
    left = iter(range(looks))
    made.refresh(key(name), lambda: next(left, None) is None)


def tokens(made: ModelEngine) -> dict[str, int]:
    return {each["uri"][8:-3]: each["tokens"] for each in made.status()["files"]}


def within(made: ModelEngine) -> bool:
    status = made.status()
    return status["cache_bytes"] <= status["cache_most_bytes"]


def test_files_that_grow_stay_within_the_budget_and_none_loses_its_cache() -> None:
    made = engine(3 * CONTEXT)
    names = "abcdef"
    for name in names:
        ask(made, name, TEXT, AT)
    narrow = tokens(made)
    assert all(0 < count <= NARROW_TOKENS + 8 for count in narrow.values())
    for name in names:
        idle(made, name)
        assert within(made)
    grown = tokens(made)
    assert made.status()["evicted_files"] == 0
    assert all(grown[name] >= narrow[name] for name in names)
    assert max(grown.values()) > 2_000


def test_a_file_that_was_opened_gives_way_to_no_more_than_its_answer_needs() -> None:
    made = engine(2 * CONTEXT)
    ask(made, "a", TEXT, AT)
    idle(made, "a")
    for name in "bc":
        ask(made, name, TEXT, AT)
    assert made.status()["evicted_files"] == 0
    assert within(made)


def test_a_file_that_gave_way_does_not_grow_until_it_is_asked_about_again() -> None:
    made = engine(CONTEXT)
    ask(made, "a", TEXT, AT)
    idle(made, "a", looks=3)
    for name in "bcd":
        ask(made, name, TEXT, AT)
        idle(made, name)
    assert made.status()["evicted_files"] > 0
    assert tokens(made)["a"] == 0
    idle(made, "a")
    assert tokens(made)["a"] == 0
    ask(made, "a", TEXT, AT)
    assert tokens(made)["a"] > 0
    assert within(made)


def test_a_window_is_as_wide_as_the_cache_has_room_for() -> None:
    made, shown = engine(CONTEXT - 500), 0
    for turn in range(4):
        text = TEXT[:AT] + "x" * turn + TEXT[AT:]
        [answer, *_] = ask(made, "a", text, AT + turn)
        assert answer.meta.prompt_tokens - answer.meta.reused_tokens <= NARROW_TOKENS
        shown = answer.meta.prompt_tokens
        idle(made, "a")
        assert within(made)
    assert tokens(made)["a"] > 2_000
    assert shown > 2_000


def test_closing_a_file_ends_its_growth() -> None:
    made = engine(2 * CONTEXT)
    ask(made, "a", TEXT, AT)
    idle(made, "a", looks=5)
    made.forget(key("a"))
    idle(made, "a")
    assert tokens(made) == {}
    assert made.status()["cache_bytes"] == 0
    made.prepare(File(key("a"), "python", 1, FileText.of(TEXT)).key, lambda: False)
    assert made.status()["cache_bytes"] == 0


class Counting:
    """The tokenizer, and how many characters it was given."""

    def __init__(self) -> None:
        self._tokenizer = tiny_loaded().tokenizer
        self.characters = 0

    def pieces(self, text: str) -> list[tuple[int, list[int]]]:
        self.characters += len(text)
        return self._tokenizer.pieces(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)


LONG = "".join(f"def f{n}(a, b):\n    c = a[{n}]\n    return c + b\n\n" for n in range(2_500))


def opened(text: str) -> tuple[ModelEngine, Counting, File]:
    """An engine, and a file that was opened, with a moment of quiet after it."""
    counting, files = Counting(), [File(key("a"), "python", 1, FileText.of(text))]
    loaded = replace(tiny_loaded(LARGEST), tokenizer=counting)
    made = ModelEngine(
        loaded,
        CompleterOptions(context_tokens=CONTEXT),
        path_of,
        Budget(2**30),
        Refresher(IdleWork.FULL, lambda: False, clock=lambda: 0.0),
        open_files=lambda: files,
    )
    made.prepare(key("a"), lambda: False)
    counting.characters = 0
    return made, counting, files[0]


@pytest.mark.parametrize("typed", ["", "x"])
def test_a_first_answer_in_ten_thousand_lines_reads_no_more_than_one_in_a_few(typed: str) -> None:
    assert LONG.count("\n") == 10_000
    read = {}
    for text in (LONG, LONG[:8_000]):
        made, counting, _ = opened(text)
        at = text.index("    c = a[90]")
        [answer, *_] = ask(made, "a", text[:at] + typed + text[at:], at + len(typed))
        read[len(text)] = counting.characters
        assert answer.meta.prompt_tokens <= NARROW_TOKENS
        assert answer.meta.cache is not None
        assert answer.meta.cache.encoded <= NARROW_TOKENS
    assert read[len(LONG)] <= read[8_000] + 8_000


def test_what_was_read_of_a_file_that_is_closed_is_not_that_of_the_next_one() -> None:
    made, counting, file = opened(LONG)
    made.forget(file.key)
    ask(made, "a", TEXT, AT)
    assert counting.characters >= len(TEXT)
    assert tokens(made)["a"] > 0


def test_a_short_file_is_not_read_before_it_is_asked_about() -> None:
    made, counting, _ = opened(TEXT[:2_000])
    ask(made, "a", TEXT[:2_000], 500)
    assert counting.characters >= 2_000
