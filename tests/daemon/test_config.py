"""Layers of configuration: which wins, where a value came from, what is refused."""

import json
import subprocess
import tomllib
from pathlib import Path

import pytest

from keyturn.daemon.config import DTYPES, Config, DaemonSettings, ModelChoice, load_config
from keyturn.lsp.options import SECRETS, Options
from support.editors.editor import environment, keyturn


def load(tmp_path: Path, user: str = "", workspace: str = "", **more: str) -> Config:
    (tmp_path / "user").mkdir(exist_ok=True)
    (tmp_path / "user" / "config.toml").write_text(user)
    project = tmp_path / "project" / "deep"
    project.mkdir(parents=True, exist_ok=True)
    (project.parent / "keyturn.toml").write_text(workspace)
    return load_config({}, project, more, tmp_path / "user")


def test_later_layers_win_and_every_value_knows_its_source(tmp_path: Path):
    config = load(
        tmp_path,
        user="[completion]\nmax-tokens = 10\ncandidates = 2\nmultiline = 'never'\n",
        workspace="[completion]\nmax_tokens = 20\ncandidates = 4\n",
        KEYTURN_COMPLETION_MAX_TOKENS="30",
    )
    assert config.problems == ()
    found = config.completion
    assert (found.max_tokens, found.candidates, found.multiline) == (30, 4, "never")
    assert config.sources["completion.max_tokens"] == "KEYTURN_COMPLETION_MAX_TOKENS"
    assert config.sources["completion.candidates"].endswith("keyturn.toml")
    assert config.sources["completion.multiline"].endswith("config.toml")
    assert config.sources["model.name"] == "default"


def test_flags_win_over_everything(tmp_path: Path):
    variables = {"KEYTURN_MODEL_NAME": "one"}
    config = load_config({"model.name": "two"}, tmp_path, variables, tmp_path)
    assert config.model.name == "two"
    assert config.sources["model.name"] == "flag"


def test_what_is_wrong_is_said_and_the_value_below_counts(tmp_path: Path):
    config = load(
        tmp_path,
        user="[completion]\nmax_tokens = 0\n[daemon]\nlog_level = 'loud'\nfree_minutes = -1\n"
        "[model]\nname = 3\ncolour = 'red'\n[nothing]\n",
        KEYTURN_COMPLETION_CANDIDATES="many",
    )
    assert len(config.problems) == 7
    assert config.completion.max_tokens == 96
    assert config.daemon.log_level == "info"
    assert config.model.name == "qwen2.5-coder-0.5b"


def test_a_word_that_is_none_of_a_settings_is_refused_and_those_that_are_named(tmp_path: Path):
    config = load(
        tmp_path,
        user="[model]\ndtype = 'int3'\nattention = 'flash'\nidle_work = 'some'\n"
        "[completion]\neagerness = 'very'\n",
    )
    assert len(config.problems) == 4
    assert "dtype is 'int3', but must be one of auto, float32, bfloat16" in config.problems[0]
    assert config.model == ModelChoice()
    for dtype in DTYPES:
        assert load(tmp_path, user=f"[model]\ndtype = '{dtype}'\n").problems == ()


def test_a_window_in_which_nothing_good_could_be_said_is_refused(tmp_path: Path):
    config = load(tmp_path, user="[model]\ncontext_tokens = 64\n")
    [problem] = config.problems
    assert "context_tokens is 64, but must be from 256 to" in problem
    assert config.model.context_tokens == 2048


def test_a_variable_that_is_misspelt_is_said_and_those_of_other_kinds_are_not(tmp_path: Path):
    config = load(tmp_path, KEYTURN_MODEL_NAM="x", KEYTURN_CACHE="/tmp", KEYTURN_STATE_DIR="/tmp")
    assert config.problems == ("there is no setting for KEYTURN_MODEL_NAM",)


def test_a_file_that_is_not_toml_is_a_problem_and_nothing_more(tmp_path: Path):
    config = load(tmp_path, user="[completion\n")
    [problem] = config.problems
    assert "config.toml: it is not TOML: " in problem
    assert config.completion.max_tokens == 96


def test_a_workspace_may_not_choose_the_model_nor_reveal_secrets(tmp_path: Path):
    config = load(
        tmp_path,
        workspace="[model]\nname = 'theirs'\n[completion]\ndisabled_globs = ['*.gen.py']\n",
    )
    assert config.model.name == "qwen2.5-coder-0.5b"
    assert config.completion.disabled_globs == (*SECRETS, "*.gen.py")
    assert len(config.problems) == 1


def test_a_workspace_may_keep_its_project_from_being_read_and_nothing_more(tmp_path: Path):
    off, on = ("[completion]\nproject = false\n", "[completion]\nproject = true\n")
    assert load(tmp_path).completion.project
    assert not load(tmp_path, user=off, workspace=on).completion.project
    assert not load(tmp_path, user=on, workspace=off).completion.project


def test_your_own_file_may_change_the_disabled_globs(tmp_path: Path):
    config = load(tmp_path, user="[completion]\ndisabled_globs = ['*.gen.py']\n")
    assert config.completion.disabled_globs == ("*.gen.py",)


def test_show_prints_every_setting_with_its_source(tmp_path: Path):
    environ = environment(tmp_path, KEYTURN_COMPLETION_MAX_TOKENS="0")
    done = subprocess.run(
        keyturn("config", "show", "--json"), env=environ, capture_output=True, check=True
    )
    shown = json.loads(done.stdout)
    assert shown["settings"]["model.name"] == {"value": "lookup", "source": "KEYTURN_MODEL_NAME"}
    assert "max_tokens" in shown["problems"][0]


def test_show_writes_each_value_as_a_settings_file_would(tmp_path: Path):
    done = subprocess.run(
        keyturn("config", "show"), env=environment(tmp_path), capture_output=True, check=True
    )
    lines = done.stdout.decode().splitlines()
    settings = load_config(environment={"KEYTURN_MODEL_NAME": "lookup"}, user_folder=tmp_path)
    assert len(lines) == len(settings.values()) > 20
    for line in lines:
        written, _, source = line.rpartition("  (")
        key, _, value = written.partition(" = ")
        found = settings.values()[key]
        assert tomllib.loads(f"it = {value}")["it"] == (
            list(found) if isinstance(found, tuple) else found
        )
        assert source == f"{settings.sources[key]})"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = " + "[" * 20_000, "nested too deeply"),
        ("[completion]\nmax_tokens = 0x" + "f" * 10_000, "max_tokens is a int too large to show"),
        ("[completion]\nmultiline = '" + "x" * 100_000 + "'", "multiline is 'xxx"),
        ("\n".join(["[completion]", *(f"unknown_{i} = 1" for i in range(5_000))]), "4,997 more"),
        ("\n".join(f"[unknown_{i}]" for i in range(5_000)), "and 4,997 more"),
        ("# " + "x" * 300_000, "larger than 262,144 bytes"),
        (f"[completion]\ndisabled_globs = {['*a*'] * 2_000}", "not have more than 1,000 entries"),
    ],
)
def test_whatever_a_workspace_says_is_one_short_line_and_the_defaults_count(
    tmp_path: Path, text: str, words: str
):
    config = load(tmp_path, workspace=text)
    [problem] = config.problems
    assert words in problem
    assert len(problem) < len(str(tmp_path)) + 250
    assert config.completion == Options()


def test_a_workspaces_file_that_is_a_link_is_a_problem_and_ones_own_may_be_one(tmp_path: Path):
    load(tmp_path)
    file = tmp_path / "project" / "keyturn.toml"
    file.unlink()
    file.symlink_to("/dev/zero")
    own = tmp_path / "user" / "config.toml"
    own.rename(own.with_name("elsewhere"))
    own.symlink_to(own.with_name("elsewhere"))
    own.write_text("[completion]\nmax_tokens = 7\n")
    config = load_config({}, tmp_path / "project", {}, tmp_path / "user")
    assert config.problems == (f"{file}: it is a link",)
    assert config.completion.max_tokens == 7


@pytest.mark.parametrize("value", ["nan", "inf", "1e300", "-1", f"{2**62}"])
def test_numbers_without_sense_are_refused(tmp_path: Path, value: str):
    config = load(tmp_path, user=f"[daemon]\nfree_minutes = {value}\nmetrics_port = 65536\n")
    assert len(config.problems) == 2
    assert config.daemon == DaemonSettings()


def test_in_a_directory_that_was_deleted_the_other_settings_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "gone"
    folder.mkdir()
    (tmp_path / "config.toml").write_text('[model]\nname = "lookup"\n')
    monkeypatch.chdir(folder)
    folder.rmdir()
    config = load_config(environment={}, user_folder=tmp_path)
    assert (config.model.name, config.problems) == ("lookup", ())
