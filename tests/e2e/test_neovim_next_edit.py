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
