"""A real Neovim: a name is changed once, and <Tab> leads through the others."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.editors.editor import environment, keyturn
from support.editors.neovim import NVIM, Neovim
from support.needs import missing

SETUP = """require('keyturn').setup({ cmd = CMD })
local told = vim.lsp.handlers['keyturn/status']
vim.lsp.handlers['keyturn/status'] = function(err, result, ...)
  PHASE = result.phase
  return told(err, result, ...)
end"""
FILE = """def f(count):
    total = count + 1
    return count * total


def g(count):
    return count
"""


@pytest.fixture
def nvim(tmp_path: Path) -> Iterator[Neovim]:
    if NVIM is None:
        missing("there is no nvim on this machine (the extra `test` brings one on Linux)")
    environ = environment(tmp_path)
    file = tmp_path / "demo.py"
    file.write_text(FILE)
    with Neovim(environ, file, SETUP) as nvim:
        yield nvim
    subprocess.run(keyturn("daemon", "stop"), env=environ, capture_output=True, timeout=60)


def shown(nvim: Neovim) -> dict[str, Any] | None:
    return nvim.lua("return require('keyturn.next_edit').shown()")


def rename(nvim: Neovim) -> None:
    """The parameter, by the change of a word that the daemon sees."""
    nvim.wait(lambda: nvim.lua("return PHASE") == "ready")
    nvim.press("ggfccwnumber<Esc>")
    nvim.wait(lambda: shown(nvim))


def test_tab_leads_through_the_places_of_a_name_and_undo_takes_each_back(nvim: Neovim) -> None:
    rename(nvim)
    assert nvim.drawn("keyturn_next") == ["", "number"]
    assert shown(nvim) == {
        "old": "count", "new": "number", "why": "count is now number", "line": 2,
    }  # fmt: skip
    nvim.press("<Tab>")
    nvim.wait(lambda: nvim.cursor == (2, 12))
    assert nvim.lines == FILE.replace("count", "number", 1).splitlines()
    nvim.press("<Tab><Tab>")  # who is quick is led on, too
    nvim.wait(lambda: nvim.cursor[0] == 3)
    assert nvim.lines == FILE.replace("count", "number", 2).splitlines()
    nvim.press("<Tab>")
    nvim.wait(lambda: nvim.lines == FILE.replace("count", "number", 3).splitlines())
    nvim.wait(lambda: shown(nvim) is None)
    assert nvim.drawn("keyturn_next") == []
    nvim.press("u")
    nvim.wait(lambda: nvim.lines == FILE.replace("count", "number", 2).splitlines())
    nvim.press("u")
    nvim.wait(lambda: nvim.lines == FILE.replace("count", "number", 1).splitlines())


def test_escape_refuses_it_for_good(nvim: Neovim) -> None:
    rename(nvim)
    nvim.press("<Esc>")
    nvim.wait(lambda: shown(nvim) is None)
    nvim.press("Go# a comment<Esc>")
    assert shown(nvim) is None
    nvim.press("gg<Tab>")  # does what it always does
    assert nvim.lines[1] == FILE.splitlines()[1]


def test_what_is_typed_before_it_moves_it_and_what_is_typed_in_it_takes_it_away(
    nvim: Neovim,
) -> None:
    rename(nvim)
    nvim.press("ggO# above<Esc>")
    nvim.wait(lambda: (shown(nvim) or {}).get("line") == 3)
    nvim.press("3G^fcsx<Esc>")
    nvim.wait(lambda: (shown(nvim) or {}).get("line") != 3)


def test_tab_still_indents(nvim: Neovim) -> None:
    rename(nvim)
    nvim.press("Go<Tab>x<Esc>")
    nvim.wait(lambda: nvim.lines[-1].strip() == "x")
    assert nvim.lines[-1] != "x"
    assert nvim.lines[1] == FILE.splitlines()[1]


def test_tab_leads_on_to_the_file_that_imports_it(nvim: Neovim, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text("from demo import g\n\nprint(g(1))\n")
    nvim.wait(lambda: nvim.lua("return PHASE") == "ready")
    nvim.press(f":filetype on<CR>:edit {other}<CR>:buffer demo.py<CR>6G^wcwshown<Esc>")
    nvim.wait(lambda: any("other.py:1" in each for each in nvim.drawn("keyturn_next")))
    nvim.press("<Tab>")
    nvim.wait(lambda: nvim.lines[0] == "from demo import g" and nvim.cursor == (1, 17))
    nvim.press("<Tab>")
    nvim.wait(lambda: nvim.lines[0] == "from demo import shown")
    nvim.wait(lambda: shown(nvim) is not None)
    nvim.press("<Tab><Tab>")
    nvim.wait(lambda: nvim.lines[2] == "print(shown(1))")


def test_a_buffer_that_cannot_be_changed_is_left_as_it_is(nvim: Neovim) -> None:
    rename(nvim)
    nvim.press(":set nomodifiable<CR><Tab><Tab>")
    assert nvim.lines == FILE.replace("count", "number", 1).splitlines()
    assert nvim.lua("return vim.v.errmsg") == ""
