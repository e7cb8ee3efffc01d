"""What the default model suggests in everyday situations, asked as an editor asks while one types.

The rules were made with `situations.txt` in view; `held_out.txt` is for judging them.
"""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from keyturn.daemon.completion.regions import PAGES
from keyturn.daemon.workspace.language import language_of
from keyturn.lsp.options import Options
from keyturn.lsp.session import Session
from keyturn.models.decoding.circles import circle, inner_circle
from keyturn.models.decoding.rubbish import rubbish
from keyturn.models.decoding.trim import trim
from keyturn.models.grammar.languages import GRAMMARS
from keyturn.models.hub.download import ModelFiles
from support.editors.everyday import Situation, editor, parses, situations, suggested

pytestmark = pytest.mark.timeout(1200)
together = pytest.mark.asyncio(loop_scope="module")  # with the session that all ask
EAGER = Options(eagerness="high")  # what is said, not how sure one is of it
PATIENT = replace(EAGER, max_tokens=40, deadline_ms=120_000, debounce_max_ms=0)  # of a busy machine
TUNED, HELD_OUT = (tuple(situations(file)) for file in ("situations.txt", "held_out.txt"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(real_model: ModelFiles) -> AsyncIterator[Session]:
    async with editor(PATIENT) as opened:
        yield opened


def test_there_are_situations_in_every_language_with_a_grammar() -> None:
    for table in (TUNED, HELD_OUT):
        assert len(table) >= 60
        assert {language_of(each.name).id for each in table} >= {*GRAMMARS} - PAGES
        assert {language_of(each.name).id for each in table} & PAGES >= {"vue", "svelte", "astro"}


@together
@pytest.mark.parametrize("situation", TUNED, ids=lambda each: each.name)
async def test_a_suggestion_is_worth_reading(session: Session, situation: Situation) -> None:
    check(situation, await suggested(session, situation))


@together
@pytest.mark.slow
@pytest.mark.parametrize("situation", HELD_OUT, ids=lambda each: each.name)
async def test_so_it_is_where_nothing_was_tuned(session: Session, situation: Situation) -> None:
    session.set_options(replace(PATIENT, max_tokens=Options().max_tokens))
    check(situation, await suggested(session, situation))


@pytest.mark.slow
async def test_every_suggestion_comes_within_the_deadline(real_model: ModelFiles) -> None:
    async with editor(EAGER) as session:
        for situation in (*TUNED, *HELD_OUT):  # the session says so if there is no answer
            check(situation, await suggested(session, situation))


def check(situation: Situation, text: str) -> None:
    """All that must hold of a suggestion."""
    said = f"{situation.line}▮{text!r}▮{situation.rest}"
    if not text:
        assert "any" in situation.flags, f"nothing is suggested: {said}"
        return
    assert "none" not in situation.flags, f"nothing is better than this: {said}"
    text = text.replace("\r\n", "\n")
    if situation.flags & {"one", "more"}:
        assert ("\n" in text) == ("more" in situation.flags), f"so many lines: {said}"
    prefix, suffix = (side.replace("\r\n", "\n") for side in (situation.prefix, situation.suffix))
    whole = prefix + text + suffix
    assert text.strip(), said
    assert not set(text) & {"\r", "\ufffd"}, said
    if "open" not in situation.flags:
        assert parses(situation.name, whole), f"does not parse: {said}"
    assert trim(text, prefix, suffix, language=language_of(situation.name).id) == text, said
    rest, below = situation.rest.strip(), [line for line in suffix.split("\n")[1:] if line.strip()]
    last = text.split("\n")[-1]
    assert not (rest and last.rstrip().endswith(rest)), f"the rest of the line again: {said}"
    assert not (below and last == below[0] and "\n" in text), f"the line below again: {said}"
    assert rubbish(text, prefix + suffix, language_of(situation.name).id) == len(text), said
    lines = text.split("\n")
    assert circle(lines) == len(lines), f"in circles: {said}"
    assert all(inner_circle(line) == len(line) for line in lines), f"in circles: {said}"
    if situation.line and not situation.line.strip():
        assert text[0] not in " \t", f"indentation twice: {said}"
