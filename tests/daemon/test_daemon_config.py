"""Layers of configuration: which wins, where a value came from, what is refused."""

import json
import subprocess
from pathlib import Path

from editor import environment, keyturn

from keyturn.daemon.config import Config, load_config
from keyturn.lsp.options import SECRETS


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


def test_a_file_that_is_not_toml_is_a_problem_and_nothing_more(tmp_path: Path):
    config = load(tmp_path, user="[completion\n")
    assert len(config.problems) == 1
    assert config.completion.max_tokens == 96


def test_a_workspace_may_not_choose_the_model_nor_reveal_secrets(tmp_path: Path):
    config = load(
        tmp_path,
        workspace="[model]\nname = 'theirs'\n[completion]\ndisabled_globs = ['*.gen.py']\n",
    )
    assert config.model.name == "qwen2.5-coder-0.5b"
    assert config.completion.disabled_globs == (*SECRETS, "*.gen.py")
    assert len(config.problems) == 1


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
