"""Drafts copied from earlier text, against a search that is too simple to be wrong."""

from hypothesis import given
from hypothesis import strategies as st

from keyturn.models.speculative.draft import Context, Draft, Scene
from keyturn.models.speculative.prompt_lookup import LONGEST_MATCH, MOST_TOKENS, Lookup, accuracy
from support.models.one_drafter import NoRows

small = st.lists(st.integers(0, 3), max_size=30)


def context(path: list[int]) -> Context:
    return Context((), path, 1, NoRows())


def draft(scene: Scene, path: list[int], budget: int = 8) -> Draft:
    lookup = Lookup()
    lookup.begin(scene)
    return lookup.propose(context(path), budget)


def longest(texts: list[list[int]], own: list[int]) -> tuple[int, list[list[int]]]:
    """The longest match of the end of `own` with what stands earlier, and what follows each."""
    for length in range(min(len(own), LONGEST_MATCH), 0, -1):
        wanted, followers = own[-length:], []
        for text in [*texts, own]:
            for at in range(len(text) - length):
                if text[at : at + length] == wanted and text[at + length :]:
                    followers.append(text[at + length :])
        if followers:
            return length, followers
    return 0, []


few = st.lists(st.integers(0, 3), min_size=1, max_size=6)


@given(small, small, st.lists(small, max_size=2), few)
def test_the_first_token_follows_one_of_the_longest_matches(before, after, others, path) -> None:
    found = draft(Scene("x", before, after, others), path)
    length, followers = longest([*others, after], [*before, *path])
    if not found.tokens:
        assert length == 0
        return
    assert found.tokens[0] in [text[0] for text in followers]
    votes = [text[0] for text in followers]
    assert votes.count(found.tokens[0]) == max(map(votes.count, votes))


def test_the_longer_match_counts_and_not_the_later_one() -> None:
    assert draft(Scene("x", [1, 2, 3, 9, 2, 4, 9]), [1, 2], budget=1).tokens == (3,)


@given(small, few, st.integers(1, 9))
def test_the_whole_draft_stands_somewhere_behind_a_match(before, path, budget) -> None:
    found = draft(Scene("x", before), path, budget)
    assert len(found.tokens) <= budget
    _, followers = longest([], [*before, *path])
    assert not found.tokens or any(
        tuple(text[: len(found.tokens)]) == found.tokens for text in followers
    )


def test_the_end_of_a_text_is_the_end_of_a_draft() -> None:
    assert draft(Scene("x", [9], [], [[1, 2, 3], [7, 8]]), [1, 2]).tokens == (3,)
    assert draft(Scene("x", [9], [], [[1, 2]]), [1, 2]).tokens == ()


def test_what_was_generated_is_looked_up_too() -> None:
    lookup = Lookup()
    lookup.begin(Scene("x", []))
    assert lookup.propose(context([7]), 4).tokens == ()
    assert lookup.propose(context([7, 8, 9, 7]), 4).tokens == (8, 9, 7)
    assert lookup.propose(context([7, 8]), 4).tokens == ()  # another candidate, shorter


def test_longer_matches_are_surer() -> None:
    chances = [accuracy(length) for length in range(1, 80)]
    assert chances == sorted(chances)
    assert all(0 < chance < 1 for chance in chances)


def test_more_text_than_is_looked_at_leaves_out_the_least_apt() -> None:
    far, near = [1, 2, 3], [1, 2, 4]
    found = draft(Scene("x", [0], [], [far, [0] * MOST_TOKENS, near]), [1, 2])
    assert found.tokens == (4,)


def test_a_long_completion_has_room() -> None:
    lookup = Lookup()
    lookup.begin(Scene("x", [1]))
    path = [5, 6, *range(10, 9_000), 5]
    assert lookup.propose(context(path), 3).tokens == (6, 10, 11)
