"""A real Neovim types, sees ghost text and accepts it: a word, a line, all."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.editors.editor import environment, keyturn
from support.editors.neovim import NVIM, REPOSITORY, Neovim
from support.needs import missing

pytestmark = pytest.mark.usefixtures("nvim")

SETUP = "require('keyturn').setup({ cmd = CMD, settings = { multiline = 'always' } })"
FILE = """alpha = compute(one, two)
beta = other(three)


"""
NATIVE = "nvim.lsp.inline_completion"


@pytest.fixture
def nvim() -> None:
    if NVIM is None:
        missing("there is no nvim on this machine (the extra `test` brings one on Linux)")


def version() -> tuple[int, int]:
    done = subprocess.run([str(NVIM), "--version"], capture_output=True, text=True, check=True)
    major, minor = done.stdout.partition(" v")[2].split(".")[:2]
    return int(major), int(minor)


def start(tmp_path: Path, environ: dict[str, str], text: str, setup: str = SETUP) -> Neovim:
    file = tmp_path / "demo.py"
    file.write_text(text)
    return Neovim(environ, file, setup)


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    environ = environment(tmp_path)
    yield environ
    subprocess.run(keyturn("daemon", "stop"), env=environ, capture_output=True, timeout=60)


def test_typing_shows_ghost_text_and_typing_along_it_keeps_it(
    tmp_path: Path, environ: dict[str, str]
):
    with start(tmp_path, environ, FILE) as nvim:
        nvim.press("Go")
        nvim.type("alpha")
        assert nvim.wait(nvim.ghost) == " = compute(one, two)"
        assert nvim.drawn() == [" = compute(one, two)"]
        nvim.type(" = com")
        nvim.wait(lambda: nvim.ghost() == "pute(one, two)")
        assert nvim.drawn() == ["pute(one, two)"]
        nvim.type("x")
        nvim.wait(lambda: nvim.ghost() is None)
        assert nvim.drawn() == []


def test_what_was_typed_before_the_server_could_answer_is_answered_then(
    tmp_path: Path, environ: dict[str, str]
):
    setup = "vim.api.nvim_feedkeys('Goalpha', 'n', false); " + SETUP
    with start(tmp_path, environ, FILE, setup) as nvim:
        assert nvim.wait(nvim.ghost) == " = compute(one, two)"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("toggle", "keyturn: suggestions are off"),
        ("refresh", "keyturn: the caches are being brought up to date"),
        ("model", "keyturn: there is no other model"),
        ("status", "keyturn: lookup, ready"),
        ("why", "keyturn: suggested by lookup in "),
    ],
)
def test_commands_answer_in_words(tmp_path: Path, environ: dict[str, str], command: str, said: str):
    with start(tmp_path, environ, FILE) as nvim:
        nvim.press("Go")
        nvim.type("alpha")
        nvim.wait(nvim.ghost)
        nvim.call("nvim_command", f"Keyturn {command}")
        nvim.wait(lambda: said in nvim.messages())


ACCOUNT = """{ model = 'm', known = true, shown = false, likely = 0.021,
  totalMs = 34.6, promptTokens = 1820, missing = 2,
  chunkTokens = 640, chunks = {
    { path = 'lib/b.py', line = 3, name = 'helper' },
    { path = 'a\\nb.py', line = 1, name = 'C' } } }"""

ACCOUNT_OF_ONE_FILE = """{ model = 'm', totalMs = 1, promptTokens = 9, missing = 0,
  chunkTokens = 0, chunks = {} }"""


def test_why_names_the_definitions_that_the_model_was_shown(
    tmp_path: Path, environ: dict[str, str]
):
    with start(tmp_path, environ, FILE) as nvim:
        nvim.call("nvim_command", "Keyturn why")
        nvim.wait(lambda: "keyturn: nothing was suggested in this buffer yet" in nvim.messages())
        answered = f"require('keyturn').request = function(_, _, _, done) done(nil, {ACCOUNT}) end"
        nvim.lua(answered)
        nvim.call("nvim_command", "Keyturn why")
        assert nvim.messages().splitlines()[-7:] == [
            "keyturn: suggested by m, known already (35 ms when it was computed)",
            "held back, because it is probably wrong",
            "confidence: 2 % for its first line",
            "read 1180 tokens of this file and 640 of its project:",
            "  lib/b.py:3 helper",
            "  a?b.py:1 C",
            "not ready yet: 2 more of the project",
        ]
        nvim.lua(answered.replace(ACCOUNT, ACCOUNT_OF_ONE_FILE))
        nvim.call("nvim_command", "Keyturn why")
        assert nvim.messages().splitlines()[-2:] == [
            "read 9 tokens of this file",
            "nothing of the project's other files: none was wanted, or none was ready yet",
        ]


def test_a_word_then_a_line_then_the_key_s_own_meaning(tmp_path: Path, environ: dict[str, str]):
    with start(tmp_path, environ, FILE) as nvim:
        nvim.press("Go")
        nvim.type("alpha")
        nvim.wait(nvim.ghost)
        nvim.press("<M-Right>")
        nvim.wait(lambda: nvim.lines[-1] == "alpha =")
        assert nvim.ghost() == " compute(one, two)"
        nvim.press("<M-Right>")
        nvim.wait(lambda: nvim.lines[-1] == "alpha = compute")
        nvim.press("<M-Down>")
        nvim.wait(lambda: nvim.lines[-1] == "alpha = compute(one, two)")
        assert nvim.cursor[1] == len("alpha = compute(one, two)")


def test_tab_accepts_all_of_it_and_is_a_tab_without_a_suggestion(
    tmp_path: Path, environ: dict[str, str]
):
    with start(tmp_path, environ, FILE) as nvim:
        nvim.press("Go")
        nvim.press("<Tab>")
        nvim.wait(lambda: nvim.lines[-1] == "\t")
        nvim.press("<C-u>")
        nvim.type("beta")
        nvim.wait(nvim.ghost)
        nvim.press("<Tab>")
        nvim.wait(lambda: nvim.lines[-1] == "beta = other(three)")
        assert nvim.drawn() == []


def test_dismissing_and_leaving_insert_mode_take_it_away(tmp_path: Path, environ: dict[str, str]):
    with start(tmp_path, environ, FILE) as nvim:
        nvim.press("Go")
        nvim.type("alpha")
        nvim.wait(nvim.ghost)
        nvim.press("<C-]>")
        nvim.wait(lambda: not nvim.drawn())
        nvim.type(" ")
        nvim.wait(nvim.ghost)
        nvim.press("<Esc>")
        nvim.wait(lambda: not nvim.drawn())


def test_characters_wider_than_a_byte_are_placed_right(tmp_path: Path, environ: dict[str, str]):
    with start(tmp_path, environ, "größe = 'é😀' + maß\n") as nvim:
        nvim.press("Go")
        nvim.type("größ")
        assert nvim.wait(nvim.ghost) == "e = 'é😀' + maß"
        nvim.press("<M-Right>")
        nvim.wait(lambda: nvim.lines[-1] == "größe")
        nvim.press("<Tab>")
        nvim.wait(lambda: nvim.lines[-1] == "größe = 'é😀' + maß")


def test_the_next_suggestion_is_asked_for_and_the_key_goes_round(
    tmp_path: Path, environ: dict[str, str]
):
    text = "alpha = compute(one, two)\nalpha = other(three)\n"
    with start(tmp_path, environ, text) as nvim:
        nvim.press("Go")
        nvim.type("alpha")
        assert nvim.wait(nvim.ghost) == " = other(three)"
        nvim.press("<M-]>")  # there is only one: several are asked for
        nvim.wait(lambda: nvim.ghost() == " = compute(one, two)")
        nvim.press("<M-]>")
        nvim.wait(lambda: nvim.ghost() == " = other(three)")
        nvim.press("<M-]><Tab>")
        nvim.wait(lambda: nvim.lines[-1] == "alpha = compute(one, two)")


def test_neovim_s_own_inline_completion_shows_and_accepts_where_it_has_one(
    tmp_path: Path, environ: dict[str, str]
):
    if version() < (0, 12):
        pytest.skip("vim.lsp.inline_completion came with Neovim 0.12: see KEYTURN_TEST_NVIM")
    with start(tmp_path, environ, FILE, SETUP.replace("{", "{ native = true,", 1)) as nvim:
        nvim.press("Go")
        nvim.type("alpha")
        nvim.wait(lambda: nvim.drawn(NATIVE) == [" = compute(one, two)"])
        assert nvim.drawn() == []
        nvim.press("<Tab>")
        nvim.wait(lambda: nvim.lines[-1] == "alpha = compute(one, two)")
        nvim.press("<CR><Tab>")
        nvim.wait(lambda: nvim.lines[-1] == "\t")
        done = subprocess.run(
            keyturn("daemon", "status", "--json"), env=environ, capture_output=True, check=True
        )
        assert json.loads(done.stdout)["outcomes"] == {"accepted": 1}


@pytest.mark.parametrize("setup", ["require('keyturn').setup({ cmd = CMD })", SETUP])
def test_settings_are_understood_also_where_there_are_none(
    tmp_path: Path, environ: dict[str, str], setup: str
):
    with start(tmp_path, environ, FILE, setup) as nvim:
        nvim.press("Go")
        nvim.type("alpha")  # answered after every settings message has been read
        nvim.wait(nvim.ghost)
        assert "there is no setting" not in nvim.messages()


def test_enabling_the_language_server_alone_is_enough(tmp_path: Path, environ: dict[str, str]):
    if version() < (0, 11):
        pytest.skip("vim.lsp.enable came with Neovim 0.11")
    setup = "vim.lsp.config('keyturn', {cmd = CMD}); vim.lsp.enable('keyturn')"
    with start(tmp_path, environ, FILE, setup) as nvim:
        capabilities = nvim.lua("return require('keyturn').client(0).server_capabilities")
        assert "inlineCompletionProvider" in capabilities
        assert "completionProvider" not in capabilities
        nvim.press("Go")
        nvim.type("alpha")
        nvim.wait(nvim.ghost)
        nvim.press("<M-Right>")
        nvim.wait(lambda: nvim.lines[-1] == "alpha =")
        assert nvim.call("nvim_call_function", "exists", [":Keyturn"]) == 2
        assert "keyturn" not in nvim.messages()


def test_keys_of_one_s_own_stay_where_the_language_server_is_enabled_too(
    tmp_path: Path, environ: dict[str, str]
):
    setup = "require('keyturn').setup({ cmd = CMD, keys = { accept = '<C-l>' } })"
    with start(tmp_path, environ, FILE, setup + "; require('keyturn').show()") as nvim:
        nvim.press("Go")
        nvim.type("alpha")
        nvim.wait(nvim.ghost)
        nvim.press("<Tab>")
        nvim.wait(lambda: nvim.lines[-1] == "alpha\t")


def test_checkhealth_and_the_help_file(tmp_path: Path, environ: dict[str, str]):
    with start(tmp_path, environ, FILE) as nvim:
        nvim.call("nvim_command", "checkhealth keyturn")
        report = "\n".join(nvim.lines)
        assert "keyturn" in report
        native = nvim.has("nvim-0.12")
        shown_by = "Neovim shows" if native else "ghost text comes from keyturn"
        assert shown_by in report
        text = (REPOSITORY / "doc" / "keyturn.txt").read_text()
        for tag in ("keyturn-setup", "keyturn-keys", "keyturn-settings", "keyturn-health"):
            assert f"*{tag}*" in text
            assert f"|{tag}|" in text


def test_help_is_found_after_the_command_that_the_readme_names(
    tmp_path: Path, environ: dict[str, str]
):
    assert ":helptags" in (REPOSITORY / "README.md").read_text()
    shutil.copytree(REPOSITORY / "doc", tmp_path / "plugin" / "doc")
    with start(tmp_path, environ, FILE) as nvim:
        nvim.call("nvim_command", f"helptags {tmp_path}/plugin/doc")
        nvim.call("nvim_command", f"set runtimepath^={tmp_path}/plugin")
        nvim.call("nvim_command", "help keyturn")
        assert "*keyturn.txt*" in nvim.lines[0]


@pytest.mark.slow
@pytest.mark.usefixtures("real_model")
def test_the_real_model_completes_in_neovim_by_word_line_and_all(tmp_path: Path):
    environ = environment(tmp_path, "qwen2.5-coder-0.5b", KEYTURN_COMPLETION_DEADLINE_MS="60000")
    text = 'import os\n\n\ndef size_of(path: str) -> int:\n    """Bytes of a file."""\n'
    setup = "require('keyturn').setup({ cmd = CMD, settings = { deadlineMs = 60000 } })"
    with start(tmp_path, environ, text, setup) as nvim:
        nvim.press("Go")  # indented like the line above
        nvim.type("return os.path.gets")
        first = nvim.wait(nvim.ghost)
        assert first.startswith("ize(path")
        nvim.press("<M-Right>")
        nvim.wait(lambda: nvim.lines[-1] == "    return os.path.getsize")
        nvim.press("<M-Down>")
        nvim.wait(lambda: nvim.lines[-1].startswith("    return os.path.getsize(path)"))
        nvim.press("<Esc>o<C-u><CR><CR>")
        nvim.type("def name_of(path: str) -> str:")
        nvim.press("<CR>    return os.path.basen")
        nvim.wait(lambda: (nvim.ghost() or "").startswith("ame(path)"))
        nvim.press("<Tab>")
        nvim.wait(lambda: "os.path.basename(path)" in "\n".join(nvim.lines))
    subprocess.run(keyturn("daemon", "stop"), env=environ, capture_output=True, timeout=60)
