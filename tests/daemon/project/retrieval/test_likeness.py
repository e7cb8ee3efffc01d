"""Which lines of other files are shown because they are like what is being written."""

from itertools import pairwise
from pathlib import Path

from keyturn.api.chunk import Chunk
from keyturn.daemon.project.passages import LINES, SHOWN
from keyturn.daemon.project.reading.reader import outline
from support.daemon.small_projects import CURSOR, SmallProject

OPEN = """\
def open_shop(name, address):
    shop = find_shop(name)
    shop.lights.switch_on()
    shop.doors.unlock(address)
    return shop
"""
CLOSE = """\
def close_shop(name, address):
    shop = find_shop(name)
    shop.lights.switch_off()
    <|>
"""
FILLING = "\n".join(f"    counter_{number} += step_{number}" for number in range(40))
FILES = {"open.py": OPEN, "count.py": f"def count():\n{FILLING}\n", "close.py": CLOSE}


def excerpts(project: SmallProject, typed: str = "", **more: object) -> list[Chunk]:
    return [each for each in project.wanted(project.query(typed, **more)) if not each.name]


def test_lines_with_the_same_names_are_shown_as_they_are_written_with_what_follows(tmp_path: Path):
    (found,) = excerpts(SmallProject(tmp_path, FILES))
    assert (found.path, found.line) == ("open.py", 0)
    assert found.text == f"# open.py\n{OPEN}\n"


def test_while_an_identifier_is_typed_the_excerpts_are_the_same(tmp_path: Path):
    project = SmallProject(tmp_path, FILES)
    assert excerpts(project, "shop") == excerpts(project, "sh") == excerpts(project)


def test_a_call_of_what_is_being_called_is_shown_whatever_stands_around_it(tmp_path: Path):
    call = "".join(f"other_{n} = {n}\n" for n in range(7)) + "weigh(parcel, scales)\n"
    files = {**FILES, "post.py": call, "weigh.py": "\n" * 7 + "def weigh(a, b):\n    pass\n"}
    project = SmallProject(tmp_path, files)
    assert {each.path for each in excerpts(project, "weigh(")} == {"open.py", "post.py"}
    assert {each.path for each in excerpts(project)} == {"open.py"}


def test_no_two_excerpts_overlap_or_say_the_same(tmp_path: Path):
    long = "".join(f"shop = find_shop(name_{n})\nlights(shop, address)\n" for n in range(40))
    found = excerpts(SmallProject(tmp_path, {**FILES, "a.py": long, "b.py": long}))
    assert len({each.text.split("\n", 1)[1] for each in found}) == len(found) > 2
    for path in ("a.py", "b.py"):
        lines = sorted(each.line for each in found if each.path == path)
        assert all(b - a >= SHOWN * LINES for a, b in pairwise(lines))


def test_an_open_files_text_counts_and_not_what_is_on_disk(tmp_path: Path):
    project = SmallProject(tmp_path, FILES)
    newer = OPEN.replace("unlock", "throw_open")
    opened = {"open.py": outline("open.py", "python", newer)}
    (found,) = excerpts(project, opened=opened)
    assert "throw_open" in found.text
    assert not excerpts(project, opened={"open.py": outline("open.py", "python", "")})


def test_what_is_shown_already_stays_unless_another_is_much_more_alike(tmp_path: Path):
    other = OPEN.replace("open_shop", "enter_shop").replace("unlock", "push")
    project = SmallProject(tmp_path, {**FILES, "enter.py": other})
    first, second = excerpts(project)
    assert first.path == "enter.py"  # both are as good
    held = frozenset({(second.path, second.line)})
    assert [each.path for each in excerpts(project, held=held)] == ["open.py", "enter.py"]


def test_a_definition_that_an_excerpt_shows_comes_last(tmp_path: Path):
    files = {**FILES, "close.py": f"from open import open_shop\nfrom count import count\n\n{CLOSE}"}
    project = SmallProject(tmp_path, files)
    assert project.names() == ["", "count", "open_shop"]


def test_of_other_languages_nothing_is_shown(tmp_path: Path):
    assert excerpts(SmallProject(tmp_path, {**FILES, "open.py": "", "open.go": OPEN})) == []


def test_the_last_name_of_a_finished_line_counts(tmp_path: Path):
    other, own = "first = make(alpha)\nsecond = beta\n", "first = 1\nsecond = beta\n"
    (found,) = excerpts(SmallProject(tmp_path, {"a.py": other, "b.py": own + CURSOR}))
    assert found.path == "a.py"


def test_no_text_is_too_odd(tmp_path: Path):
    texts = "a" * 198_000 + " ", f"'{'ab12' * 40_000}'\n", "f(" * 30_000, "\n" * 50_000
    for number, text in enumerate(texts):
        files = {**FILES, "close.py": text + CURSOR}
        assert excerpts(SmallProject(tmp_path / str(number), files)) == []


def test_of_many_open_files_those_used_last_are_looked_at(tmp_path: Path):
    padding = "\n# nothing" * 3_000
    names = [f"open_{number}.py" for number in range(12)]
    texts = {name: OPEN.replace("lights", f"lights_{name[:-3]}") + padding for name in names}
    opened = {name: outline(name, "python", text) for name, text in texts.items()}
    project = SmallProject(tmp_path, {"close.py": CLOSE})
    found = {each.path for each in excerpts(project, opened=opened)}
    assert found <= set(names[-8:])
    assert found
