"""A project in words for people: what was read of it, where that is kept, what is left out."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...lsp.options import Options
from ..workspace.printable import printable
from ..workspace.project import MARKERS, MOST_FILE_BYTES, project_of
from .index import IndexStatus, ProjectIndex
from .place import Place

NOTHING_SHOWN = "with `model.project_tokens = 0` nothing of it is shown to the model"
PATIENCE_SECONDS = 5.0  # for a question: nobody is typing


@dataclass(frozen=True, slots=True)
class Summary:
    """`options` are those that hold in the project; `project_tokens` is what the model is shown of
    it at most."""

    root: Path
    place: Place
    options: Options
    project_tokens: int
    status: IndexStatus

    @classmethod
    def of(cls, root: Path, cache: Path, options: Options, project_tokens: int) -> "Summary":
        place = Place.of(root, cache)
        index = ProjectIndex(place, PATIENCE_SECONDS)
        status = index.status()
        index.close()
        return cls(root, place, options, project_tokens, status)

    @property
    def is_read(self) -> bool:
        return self.options.project and self.project_tokens > 0

    @property
    def brief(self) -> str:
        """In one line."""
        root = printable(str(self.root))
        if not self.options.project:
            return f"{root} is not read: `project` is off in the settings"
        if not self.project_tokens:
            return f"{root} is not read: {NOTHING_SHOWN}"
        if not self.status.bytes:
            return f"{root} is to be read: index {self.no_index}"
        return f"{root} is read: {self.amount} in {self.place.folder}"

    @property
    def no_index(self) -> str:
        return f"none yet; once an editor has a file of it open, in {self.place.folder}"

    @property
    def amount(self) -> str:
        status = self.status
        if status.problem:
            return f"broken, and made anew when the project is next worked in: {status.problem}"
        size = f"{status.bytes / 1e6:,.1f} MB"
        return f"{status.files:,} files, {status.definitions:,} definitions, {size}"

    def lines(self) -> Iterator[str]:
        """For `keyturn project status`."""
        yield f"project    {printable(str(self.root))}"
        yield f"setting    project = {str(self.options.project).lower()}"
        if not self.options.project:
            yield "left out   everything: nothing of the project is read"
        elif not self.project_tokens:
            yield f"left out   everything: {NOTHING_SHOWN}"
        if not self.status.bytes:
            yield f"index      {self.no_index if self.is_read else 'none'}"
            return
        yield f"index      {self.amount}"
        yield f"folder     {self.place.folder}"
        if not self.is_read:
            yield "           from before; `keyturn project forget` removes it"
            return
        yield f"read       {_ago(self.status.facts.get('read_at', 0.0))}"
        for reason in self.left_out():
            yield f"left out   {reason}"

    def left_out(self) -> Iterator[str]:
        """What of the project is never read, and why."""
        yield "what git ignores, by the .gitignore files, .git/info/exclude and your own git/ignore"
        yield "repositories within it: each is a project of its own"
        globs = self.options.disabled_globs
        shown = ", ".join(map(printable, globs[:3])) + (", …" if len(globs) > 3 else "")
        yield f"what one of the {len(globs)} disabled globs matches ({shown})"
        yield f"what is larger than {MOST_FILE_BYTES:,} bytes, or no text in UTF-8"
        yield "symbolic links and what they lead to, repositories within, all outside the project"
        yield "languages in which no definitions are known"
        if more := self.status.facts.get("left_out", 0):
            yield f"{more:,} files that are farthest from where you work: there are too many"

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "project": str(self.root),
            "is_read": self.is_read,
            "project_tokens": self.project_tokens,
            "folder": str(self.place.folder),
            "files": self.status.files,
            "definitions": self.status.definitions,
            "bytes": self.status.bytes,
            "read_at": self.status.facts.get("read_at"),
            "files_too_many": self.status.facts.get("left_out", 0),
            "left_out": list(self.left_out()),
        }


def root_of(path: Path) -> Path | None:
    """The root of the project that a file or a folder is in, or is."""
    return project_of(_absolute(path) / "any")


def no_project(path: Path) -> str:
    """That there is none, and what would be one."""
    shown = printable(str(_absolute(path)))
    if not os.path.lexists(path):
        return f"{shown} does not exist"
    return f"{shown} is in no project: no {' or '.join(MARKERS)} in it or above it"


def _absolute(path: Path) -> Path:
    try:
        return path.absolute()
    except FileNotFoundError:  # the current folder was deleted
        return Path("/") / path


def _ago(then: float) -> str:
    if not then:
        return "never to the end"
    minutes = max(0, int(time.time() - then)) // 60
    if minutes == 0:
        return "just now"
    hours, minutes = divmod(minutes, 60)
    ago = f"{hours} h {minutes} min" if hours else f"{minutes} min"
    if hours >= 48:
        ago = f"{hours // 24} days"
    return f"{ago} ago, and what has changed since"
