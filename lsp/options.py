"""The settings an editor can change while we run: one typed object, each bad value reported.

Editors send camelCase or snake_case; both are read. A value that is wrong is named in a message
and the value in force before it stays, so that a typo never turns completion off.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from pathlib import PurePath, PurePosixPath
from typing import Any, Literal, get_args

from ..api.request import CompletionOptions, Extent, GrammarMode, SpeculationMode
from ..api.uris import path_in
from .backend import ProjectRules
from .position import whole_characters
from .worth import Eagerness

Multiline = Literal["auto", "always", "never"]

SECRETS = (
    "*.pem", "*.key", "*.p12", "*.pfx", "*.kdbx", "*.asc", "id_rsa*", "id_ed25519*", "id_ecdsa*",
    ".env", ".env.*", "*.env", ".netrc", ".pgpass", ".npmrc", ".pypirc", "credentials",
    "credentials.json", "secrets.*",
)  # fmt: skip

NO_CODE = re.compile(
    r"(?:git|git\w+|svn|hg|gitlens|fugitive|diffview|output|extension-output|log|debug|term|terminal"
    r"|comment|pr|review|search-editor|walkthrough|vscode-(?:scm|terminal|chat|settings|log|merge"
    r"|interactive|local-history|timeline|webview|extension|copilot)[\w-]*):",
    re.IGNORECASE,
)  # schemes of documents that nobody edits as code: input lines, what was, and what programs say


LINE_MS = 400  # of decoding, after which who types gets the lines that there are by then


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that decides whether and how much to suggest in this editor."""

    enabled: bool = True
    multiline: Multiline = "auto"
    max_tokens: int = 96
    candidates: int = 3  # on explicit request; typing gets one
    deadline_ms: int = 3_000
    debounce_max_ms: int = 120
    grammar: str = GrammarMode.EXACT.value
    speculate: str = SpeculationMode.AUTO.value
    disabled_languages: tuple[str, ...] = ()
    disabled_globs: tuple[str, ...] = SECRETS
    max_file_chars: int = 1_000_000
    project: bool = True  # whether the project's other files may be read
    next_edits: bool = True  # whether changes elsewhere are proposed after one was made
    eagerness: Eagerness = "normal"  # to show what nobody has asked for

    def allows(self, uri: str, language: str, length: int) -> bool:
        """Whether to suggest in this document at all."""
        return self.refusal(uri, language, length) is None

    def refusal(self, uri: str, language: str, length: int) -> str | None:
        """Why nothing is suggested in this document, for its user; None if something may be."""
        if not self.enabled:
            return "suggestions are switched off"
        if language in self.disabled_languages:
            return f"suggestions are switched off for {language}"
        if length > self.max_file_chars:
            return f"the file is longer than {self.max_file_chars:,} characters"
        found = matching(PurePosixPath(path_in(uri)), self.disabled_globs)
        return found and f"the file matches the disabled glob {found}"

    @property
    def project_rules(self) -> ProjectRules:
        """What is allowed of a document's project. Globs of too many folders to be told keep all
        of it from being read."""
        globs = tuple(map(whole_characters, self.disabled_globs))
        return ProjectRules(self.project, globs) if len(globs) <= MOST_TOLD else ProjectRules(False)

    def waits_to_be_asked(self, uri: str) -> bool:
        """Whether nothing is suggested in this document unless the user asks for it."""
        return NO_CODE.match(uri) is not None

    def completion(self, block: bool, invoked: bool) -> CompletionOptions:
        """What to ask for at a place where a block may be suggested, or only a line."""
        extent = Extent.LINE if self.multiline == "never" else Extent.FITTING
        if block:
            extent = Extent.BLOCK if self.multiline == "always" else Extent.AUTO
        return CompletionOptions(
            extent=extent,
            max_tokens=self.max_tokens,
            candidates=self.candidates if invoked else 1,
            deadline_ms=self.deadline_ms,
            line_ms=None if invoked else LINE_MS,
            grammar=GrammarMode(self.grammar),
            speculation=SpeculationMode(self.speculate),
        )

    def updated(self, values: Mapping[str, Any]) -> tuple["Options", list[str]]:
        """These options with `values` put over them, and one line for each that is no good."""
        known = {field.name: field.type for field in fields(self)}
        good: dict[str, Any] = {}
        problems: list[str] = []
        unknown = [key for key in values if _snake(key) not in known]
        for key, value in values.items():
            name = _snake(key)
            if name not in known:
                continue
            problem = _problem(name, value)
            if problem:
                problems.append(f"keyturn: {key} is {shown(value)}, but {problem}")
            else:
                good[name] = tuple(value) if isinstance(value, list) else value
        if unknown:
            problems.append(f"keyturn: {no_such(unknown)}")
        return replace(self, **good), problems


def no_such(names: Sequence[Any]) -> str:
    """That there are no settings of these names, in one line however many they are."""
    if len(names) == 1:
        return f"there is no setting {shown(names[0])}"
    listed = ", ".join(shown(name) for name in names[:MOST_NAMED])
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return f"there are no settings {listed}{more}"


def shown(value: Any) -> str:
    """A value in a message: short, whatever it is."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, lists in lists in …
        text = f"a {type(value).__name__} too large to show"
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"


MOST_LISTED = 1_000  # each is looked at for every document, and at every key
MOST_TOLD = 4_000  # globs: of one folder there are a thousand at most, but there may be many
MOST_NAMED = 3
MOST_SHOWN = 80  # characters
CHOICES: dict[str, tuple[str, ...]] = {
    "multiline": get_args(Multiline),
    "grammar": tuple(mode.value for mode in GrammarMode),
    "speculate": tuple(mode.value for mode in SpeculationMode),
    "eagerness": get_args(Eagerness),
}
RANGES = {
    "max_tokens": (1, 1024),
    "candidates": (1, 10),
    "deadline_ms": (10, 120_000),
    "debounce_max_ms": (0, 2_000),
    "max_file_chars": (1, 50_000_000),
}


def _problem(name: str, value: Any) -> str | None:
    """What is wrong with `value` for the option `name`; None if nothing is."""
    if name in ("enabled", "project", "next_edits"):
        return None if isinstance(value, bool) else "must be true or false"
    if name in CHOICES:
        choices = CHOICES[name]
        return None if value in choices else f"must be one of {', '.join(choices)}"
    if name in RANGES:
        low, high = RANGES[name]
        whole = isinstance(value, int) and not isinstance(value, bool)
        return None if whole and low <= value <= high else f"must be from {low} to {high}"
    strings = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    if not strings:
        return "must be a list of strings"
    return None if len(value) <= MOST_LISTED else f"may not have more than {MOST_LISTED:,} entries"


def matching(path: PurePath, globs: Iterable[str]) -> str | None:
    """The first glob that a path matches, or None."""
    return next((glob for glob in globs if _matches(path, glob)), None)


def _matches(path: PurePath, glob: str) -> bool:
    """A glob without a slash is matched against the file's name, one with it against the path."""
    if "/" not in glob:
        return fnmatchcase(path.name, glob)
    return fnmatchcase(path.as_posix(), glob if glob.startswith("/") else f"*/{glob}")


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower().replace("-", "_")
