"""Drafts of what healing forces."""

from keyturn.models.speculative.draft import Context, Scene
from keyturn.models.speculative.forced import Forced
from support.models.one_drafter import NoRows


def proposed(held: list[int], path: list[int], budget: int = 8) -> tuple[int, ...]:
    forced = Forced()
    forced.begin(Scene("x", [1], held=held))
    return forced.propose(Context((), path, 1, NoRows()), budget).tokens


def test_what_is_left_of_the_held_tokens_is_proposed() -> None:
    assert proposed([5, 6, 7], [5]) == (6, 7)
    assert proposed([5, 6, 7], [5, 6]) == (7,)
    assert proposed([5, 6, 7], [5], budget=1) == (6,)


def test_nothing_is_once_they_are_there_or_were_spelt_in_another_way() -> None:
    assert proposed([5, 6], [5, 6]) == ()
    assert proposed([5, 6], [5, 6, 7]) == ()
    assert proposed([5, 6, 7], [8]) == ()
    assert proposed([], [5]) == ()
