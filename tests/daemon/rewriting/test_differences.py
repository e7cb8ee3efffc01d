"""A rewritten window is applied exactly, by proposals that change what differs and nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from keyturn.daemon.next_edit.proposal import Proposal
from keyturn.daemon.next_edit.recent_edits import Hunk
from keyturn.daemon.rewriting.differences import all_differences, is_worth

WORDS = st.lists(st.sampled_from(["name", "names", "na", "(", " ", "é", "x"]), max_size=4)
LINE = WORDS.map("".join)
LINES = st.lists(LINE, min_size=1, max_size=8)


@given(LINES, st.data(), LINES)
def test_all_differences_together_make_the_window_what_was_written(
    lines: list[str], data: st.DataObject, written: list[str]
) -> None:
    first = data.draw(st.integers(0, len(lines) - 1))
    last = data.draw(st.integers(first + 1, len(lines)))
    text = "\n".join(lines)
    start = sum(len(line) + 1 for line in lines[:first])
    found = [each.proposal for each in all_differences(text, start, lines[first:last], written)]
    for each in reversed(found):
        assert text[each.start : each.stop] == each.old
        text = text[: each.start] + each.new + text[each.stop :]
    assert text.split("\n") == [*lines[:first], *written, *lines[last:]]


def test_a_proposal_changes_whole_words() -> None:
    [found] = all_differences("print(name)", 0, ["print(name)"], ["print(names)"])
    assert (found.proposal.old, found.proposal.new) == ("name", "names")
    [found] = all_differences("a = count", 0, ["a = count"], ["a = amount"])
    assert (found.proposal.old, found.proposal.new) == ("count", "amount")


TEXT = "def greet(person):\n    print(name)\n"
RENAMED = Hunk(10, 16, "name", 1)


def change(old: str, new: str, at: int = 0) -> Proposal:
    start = TEXT.index(old, at)
    return Proposal(start, start + len(old), old, new, "")


def test_what_carries_a_change_on_is_worth_a_look() -> None:
    assert is_worth(TEXT, change("name", "person"), [RENAMED], cursor=16)


def test_what_undoes_a_change_is_not() -> None:
    assert not is_worth(TEXT, change("person", "name"), [RENAMED], cursor=16)
    assert not is_worth(TEXT, change("def greet(person)", "def greet(names)"), [RENAMED], cursor=16)


def test_what_was_taken_away_is_not_brought_back_beside_it() -> None:
    hunk = Hunk(19, 19, "    check(person)\n", 1)  # a line is gone
    brings = Proposal(19, 19, "", "    check(person)\n", "")
    assert not is_worth(TEXT, brings, [hunk], cursor=16)


def test_what_only_adds_at_the_cursor_is_a_completions_matter() -> None:
    adds = Proposal(16, 16, "", ", greeting", "")
    assert not is_worth(TEXT, adds, [RENAMED], cursor=16)
    assert is_worth(TEXT, adds, [Hunk(4, 9, "hello", 1)], cursor=4)


def test_a_copy_that_leaves_many_lines_out_is_no_proposal() -> None:
    text = "def f():\n" + "".join(f"    line({each})\n" for each in range(9))
    hunk = Hunk(4, 5, "g", 1)
    lines = text.splitlines(keepends=True)
    few, many = ("".join(lines[3 : 3 + count]) for count in (3, 4))
    assert is_worth(
        text, Proposal(text.index(few), text.index(few) + len(few), few, "", ""), [hunk], 5
    )
    assert not is_worth(
        text, Proposal(text.index(many), text.index(many) + len(many), many, "", ""), [hunk], 5
    )


def test_blanks_alone_are_not_worth_it() -> None:
    assert not is_worth(TEXT, change("    print", "  print"), [RENAMED], cursor=16)
