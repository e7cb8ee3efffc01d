"""When it pays to show other chunks than are bound."""

from keyturn.api.chunk import Chunk
from keyturn.api.report import ChunkUse
from keyturn.cache.quantised import QuantisedRows
from keyturn.daemon.completion.bound_chunks import BoundChunk
from keyturn.daemon.context import wanted as module
from keyturn.daemon.context.wanted import Wanted
from support.daemon.model_engines import tiny_loaded

ROWS = QuantisedRows.of(tiny_loaded().model.new_arena(1), 0, 1, 0)


def wanted(*names: str, text: str = "{}()", line: int = 0) -> list[Wanted]:
    return [Wanted(Chunk("a.py", line, name, text.format(name) + "\n\n"), (1,)) for name in names]


def bound(*names: str, text: str = "{}()") -> list[BoundChunk]:
    return [
        BoundChunk(ChunkUse("a.py", 1, name), text.format(name) + "\n\n", (1,), ROWS)
        for name in names
    ]


def pays(bound: list[BoundChunk], wanted: list[Wanted], more: tuple[Wanted, ...] = ()) -> bool:
    """`more` is offered, too, and finds no room."""
    return module.pays(bound, wanted, [each.chunk for each in (*wanted, *more)])


def test_what_is_wanted_is_shown_where_nothing_is_and_nothing_is_done_where_nothing_is_wanted():
    assert pays([], wanted("a"))
    assert not pays([], [])


def test_what_is_not_wanted_any_more_goes():
    assert pays(bound("a"), [])
    assert pays(bound("a", "b"), wanted("a"))
    assert not pays(bound("a", "b"), wanted("a"), more=(*wanted("b"),))


def test_another_order_or_another_line_of_the_file_is_no_reason():
    assert not pays(bound("a", "b", "c"), wanted("c", "a", "b", line=70))


def test_one_of_the_most_relevant_that_is_missing_is_a_reason_and_one_of_the_others_is_not():
    names = "abcdefgh"
    assert pays(bound(*names[1:]), wanted(*names))
    assert not pays(bound(names[0], *names[2:]), wanted(*names))
    assert not pays(bound(*names[:-1]), wanted(*names))


def test_the_most_relevant_excerpt_that_is_missing_is_a_reason_too():
    excerpt = Wanted(Chunk("b.py", 3, "", "value = 1\n\n"), (1,))
    shown = BoundChunk(ChunkUse("b.py", 4, ""), "value = 1\n\n", (1,), ROWS)
    names = "abcd"
    assert pays(bound(*names), [*wanted("a"), excerpt, *wanted(*names[1:])])
    assert not pays([*bound(*names), shown], [*wanted("a"), excerpt, *wanted(*names[1:])])


def test_so_are_many_of_the_others():
    names = "abcdefgh"
    assert not pays(bound(*names[:4]), wanted(*names))
    assert pays(bound(*names[:3]), wanted(*names))


def test_a_definition_that_has_changed_is_replaced():
    assert pays(bound("a", text="{}(x)"), wanted("a", text="{}(y)"))
    names = "abcdefgh"
    changed = [*bound(*names[:-1]), *bound(names[-1], text="{}(x)")]
    assert pays(changed, wanted(*names))


def test_a_definition_bound_with_more_lines_than_are_wanted_is_there_all_the_same():
    assert not pays(bound("a", text="{}()\n    more"), wanted("a"))


def test_a_definition_bound_with_fewer_lines_is_true_but_not_enough_for_the_most_relevant():
    assert pays(bound("a"), wanted("a", text="{}()\n    more"))
    names = "abcdefgh"
    long = [*wanted(*names[:-1]), *wanted(names[-1], text="{}()\n    more")]
    assert not pays(bound(*names), long)
