"""The configuration: defaults, the user's file, the workspace's, the environment, flags.

Later layers win, and every value remembers where it came from. A bad value is a problem to show,
never a reason not to start: the layer below it counts then.

A workspace's file came with the code in it, so it may only change `[completion]`, and add to the
disabled globs but not take any away, and keep the project from being read but not have it read.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..api.bounds import MOST_COUNT
from ..cache.errors import InputError
from ..lsp.options import Options, no_such, shown
from ..models.prompts.next_edit.names import AUTO, FORMATS
from ..models.user_folder import user_folder as folder_of_user
from .workspace.json_schemas import schema_rule
from .workspace.small_file import BadFile, read_text

WORKSPACE_FILE = "keyturn.toml"
USER_FILE = "config.toml"
PROJECT_TOKENS = 512  # three excerpts and some definitions: docs/decisions/project.md
LOOKUP = "lookup"  # the name of the engine that needs no model
TEAM = ("http://", "https://")  # how the name of a team's server begins
SERVERS = (*TEAM, "openai+", "llama.cpp+", "ollama+")  # and of any
IDLE_WORK = ("off", "gentle", "full")
ATTENTION = ("auto", "numba", "triton", "flash-attn-4", "flash-attn", "torch", "readable")
DTYPES = ("auto", "float32", "bfloat16", "float16", "int8", "int5", "int4")
NEXT_EDIT_FORMATS = (AUTO, *FORMATS)
LOG_LEVELS = ("debug", "info", "warning", "error")
WORDS = {
    "daemon.log_level": LOG_LEVELS,
    "model.dtype": DTYPES,
    "model.idle_work": IDLE_WORK,
    "model.attention": ATTENTION,
    "model.next_edit_format": NEXT_EDIT_FORMATS,
}
LEAST = {"model.context_tokens": 256}  # of numbers; of others 0. With less, nothing good comes
MOST = {"daemon.metrics_port": 65_535}  # of others MOST_COUNT


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """What to load when no name is given, and onto what."""

    name: str = "qwen2.5-coder-0.5b"
    fallback: str = "qwen2.5-coder-0.5b"  # while a server is away or slow; empty: nothing
    device: str = "auto"
    dtype: str = "auto"
    attention: str = "auto"
    context_tokens: int = 2048
    project_tokens: int = PROJECT_TOKENS  # beside them, of the project's other files; 0: none
    cache_mib: int = 0  # for the keys and values of all files; 0: as much as is polite
    gpu_share: float = 0.5  # of the GPU memory that nobody uses, to be that
    spill_folder: str = ""  # where caches that give way wait; empty: they are forgotten
    idle_work: str = "full"  # off, gentle or full: making caches exact while nobody types
    workspace_mib: int = 8  # text of files that are not open, for "lookup"; 0: only open ones
    json_schemas: tuple[str, ...] = ()  # GLOB=FILE: which JSON files follow which schema
    cycle: tuple[str, ...] = ()  # the models that "next model" goes through
    next_edit: str = ""  # a next-edit model; empty: none
    next_edit_format: str = "auto"  # in which it is asked; auto: its name says it
    next_edit_system: str = ""  # a file with the system message of a format that has one


@dataclass(frozen=True, slots=True)
class DaemonSettings:
    """The daemon's own life. Zero minutes mean never, port zero means no endpoint."""

    free_minutes: float = 15.0
    exit_minutes: float = 60.0
    log_level: str = "info"
    metrics_port: int = 0
    learn: bool = True  # from what becomes of suggestions, how far their confidence can be trusted


SECTIONS: dict[str, type] = {
    "model": ModelChoice,
    "daemon": DaemonSettings,
    "completion": Options,
}


@dataclass(frozen=True, slots=True)
class Config:
    """What is in force, where each value (`section.name`) came from, and what was wrong."""

    model: ModelChoice
    daemon: DaemonSettings
    completion: Options
    sources: Mapping[str, str]
    problems: tuple[str, ...]
    whole: bool = True  # False: a file could not be read, and what it says is not known

    def values(self) -> dict[str, Any]:
        """Every value by `section.name`."""
        return {
            f"{section}.{field.name}": getattr(getattr(self, section), field.name)
            for section, kind in SECTIONS.items()
            for field in fields(kind)
        }


def load_config(
    flags: Mapping[str, Any] | None = None,
    workspace: Path | None = None,
    environment: Mapping[str, str] | None = None,
    user_folder: Path | None = None,
) -> Config:
    """The configuration for a process that works in `workspace` (the current directory)."""
    environment = os.environ if environment is None else environment
    layers = _Layers()
    user = (user_folder or user_folder_of(environment)) / USER_FILE
    layers.file(user, set(SECTIONS))
    if found := _find_upwards(workspace or _here()):
        layers.file(found, {"completion"})
    layers.environment(environment)
    layers.put("flag", dict(flags or {}))
    return layers.config()


def model_choice(given: Mapping[str, Any]) -> ModelChoice:
    """The settings of `[model]` that are given, the rest as usual; no file and no environment has a
    say. Raises `InputError` with the first that is wrong."""
    layers = _Layers()
    layers.put("model", {f"model.{name}": value for name, value in given.items()})
    config = layers.config()
    if config.problems:
        raise InputError(config.problems[0])
    return config.model


class _Layers:
    """Values put over one another, checked one by one."""

    def __init__(self) -> None:
        defaults = Config(ModelChoice(), DaemonSettings(), Options(), {}, ())
        self._values = defaults.values()
        self._sources = dict.fromkeys(self._values, "default")
        self._problems: list[str] = []
        self._whole = True

    def file(self, path: Path, allowed: set[str]) -> None:
        own = allowed == set(SECTIONS)  # a user's own may be a link, into a folder of such files
        try:
            data = tomllib.loads(read_text(path, follow=own) or "")
        except (RecursionError, BadFile, ValueError) as error:
            self._problems.append(f"{path}: {_unreadable(error)}")
            self._whole = False
            return
        flat: dict[str, Any] = {}
        unknown: list[str] = []
        for section, values in data.items():
            if section in allowed and isinstance(values, dict):
                flat |= {f"{section}.{name.replace('-', '_')}": v for name, v in values.items()}
            elif section in SECTIONS:
                self._problems.append(f"{path}: [{section}] belongs in your own config.toml")
            else:
                unknown.append(section)
        if unknown:
            self._problems.append(f"{path}: {no_such(unknown)}")
        if "completion.disabled_globs" in flat and not own:
            more = flat["completion.disabled_globs"]
            if isinstance(more, list):
                flat["completion.disabled_globs"] = [
                    *self._values["completion.disabled_globs"], *more
                ]  # fmt: skip
        if flat.get("completion.project") is True and not own:
            flat["completion.project"] = self._values["completion.project"]
        self.put(str(path), flat)

    def environment(self, environment: Mapping[str, str]) -> None:
        names = {"KEYTURN_" + key.replace(".", "_").upper(): key for key in self._values}
        for name, key in names.items():
            if name in environment:
                self.put(name, {key: _parsed(environment[name], self._values[key])})
        sections = tuple(f"KEYTURN_{section.upper()}_" for section in SECTIONS)
        for name in environment:
            if name.startswith(sections) and name not in names:
                self._problems.append(f"there is no setting for {name:.80}")

    def put(self, source: str, values: Mapping[str, Any]) -> None:
        unknown = [key for key in values if key not in self._values]
        if unknown:
            self._problems.append(f"{source}: {no_such(unknown)}")
        for key, value in values.items():
            if key not in self._values:
                continue
            problem = self._check(key, value)
            if problem:
                self._problems.append(f"{source}: {problem}")
            else:
                self._values[key] = tuple(value) if isinstance(value, list) else value
                self._sources[key] = source

    def _check(self, key: str, value: Any) -> str | None:
        section, _, name = key.partition(".")
        if key == "model.fallback" and isinstance(value, str) and value.startswith(SERVERS):
            return f"{key} is {shown(value)}, but must be a model of this machine"
        if section == "completion":
            _, problems = Options().updated({name: value})
            return problems[0].removeprefix("keyturn: ") if problems else None
        if key in WORDS and value not in WORDS[key]:
            return f"{key} is {shown(value)}, but must be one of {', '.join(WORDS[key])}"
        wanted = type(self._values[key])
        if wanted is tuple:
            strings = isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
            if not strings:
                return f"{key} must be a list of strings"
            return _bad_schema(key, value) if key == "model.json_schemas" else None
        accepted = (float, int) if wanted is float else (wanted,)
        if type(value) not in accepted:
            return f"{key} is {shown(value)}, but must be {_name(wanted)}"
        if key == "model.gpu_share" and isinstance(value, int | float) and not 0 < value <= 1:
            return f"{key} is {shown(value)}, but must be above 0 and at most 1"
        least, most = LEAST.get(key, 0), MOST.get(key, MOST_COUNT)
        if isinstance(value, int | float) and not least <= value <= most:
            return f"{key} is {shown(value)}, but must be from {least:,} to {most:,}"
        return None

    def config(self) -> Config:
        made = {
            section: kind(**{f.name: self._values[f"{section}.{f.name}"] for f in fields(kind)})
            for section, kind in SECTIONS.items()
        }
        return Config(
            **made, sources=self._sources, problems=tuple(self._problems), whole=self._whole
        )


def _unreadable(error: Exception) -> str:
    match error:
        case RecursionError():
            return "it is nested too deeply"
        case tomllib.TOMLDecodeError():
            return f"it is not TOML: {error}"
        case _:
            return str(error)


def _bad_schema(key: str, rules: Any) -> str | None:
    """What is wrong with a list of `GLOB=FILE`."""
    for rule in rules:
        try:
            schema_rule(rule)
        except InputError as error:
            return f"{key}: {error}"
    return None


def _parsed(text: str, present: Any) -> Any:
    """An environment variable's text as the type that the value has now; as it is if it can't."""
    try:
        match present:
            case bool():
                return {"1": True, "true": True, "0": False, "false": False}[text.lower()]
            case int():
                return int(text)
            case float():
                return float(text)
            case tuple():
                return [part for part in text.split(",") if part]
            case _:
                return text
    except (ValueError, KeyError):
        return text


def _name(kind: type) -> str:
    return {int: "a whole number", float: "a number", bool: "true or false"}.get(kind, "a string")


def settings_files(workspace: Path | None) -> list[Path]:
    """The files that have a say there, whether they exist or not."""
    folder = workspace or _here()
    files = [user_folder_of(os.environ) / USER_FILE, folder / WORKSPACE_FILE]
    found = _find_upwards(folder)
    return files if found is None else [*files, found]


def _here() -> Path:
    """The current directory; where that was deleted, the one that is left."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path("/")


def options_in(workspace: Path) -> tuple[Options, tuple[str, ...]]:
    """The completion settings that hold in a workspace, and what is wrong with their files."""
    config = load_config(workspace=workspace)
    return config.completion, config.problems


def settings_in(root: Path) -> Options | None:
    """The completion settings that hold in a project; None while one of their files cannot be
    read."""
    config = load_config(workspace=root)
    return config.completion if config.whole else None


def user_folder_of(environment: Mapping[str, str]) -> Path:
    """Where the user's own file is; `KEYTURN_CONFIG_DIR` takes precedence."""
    chosen = environment.get("KEYTURN_CONFIG_DIR")
    return Path(chosen) if chosen else folder_of_user("config")


def _find_upwards(start: Path) -> Path | None:
    for folder in (start, *start.parents):
        if os.path.lexists(folder / WORKSPACE_FILE):
            return folder / WORKSPACE_FILE
    return None
