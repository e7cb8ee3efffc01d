"""The engine thread's engine around a loaded model, with a session for each recent file."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ...api.report import Completion, Finish
from ...api.uris import is_headless
from ...cache.budget import Budget
from ...cache.errors import OverBudget
from ...models.device import Aside, aside, give_back
from ...models.errors import ModelError
from ...models.hub.registry import find
from ...models.loading.loader import Loaded
from ..completion.completer import MOST_CHARACTERS, Completer, CompleterOptions
from ..completion.file_session import FileSession
from ..completion.idle_refresh import IdleWork, Refresher
from ..completion.request import Candidate, InfillRequest
from ..context.project_context import ProjectContext
from ..file_text import Edited
from ..next_edit.model import NextEditModel
from ..server.engine import File, OpenFiles
from ..server.jobs import Complete, FileKey
from .read_ahead import ReadAhead
from .sessions import Sessions

logger = logging.getLogger(__name__)

NOTHING = Candidate("", 0, Finish.EOS)  # only the account of a search is sent with it


ProjectOf = Callable[[Completer, Aside], ProjectContext]


@dataclass(frozen=True, slots=True)
class Apart:
    """A session whose refreshing runs where nothing waits for it; `idle_refresh.Refreshable`."""

    session: FileSession
    aside: Aside

    def refresh(self, most_tokens: int) -> int:
        return self.aside.run(lambda: self.session.refresh(most_tokens))


class ModelEngine:
    """Completes with one model. The file used longest ago gives its cache up first."""

    next_edit_model: NextEditModel | None = None

    def __init__(
        self,
        loaded: Loaded,
        options: CompleterOptions,
        path_of: Callable[[str], str],
        budget: Budget,
        refresher: Refresher,
        allowance: Callable[[int], int] | None = None,
        project: ProjectOf | None = None,
        open_files: OpenFiles = tuple,
    ) -> None:
        """`allowance`: how many bytes caches may take that take so many now, asked before each
        completion; the budget's own number without it. `project` makes what shows the project's
        other files, to which what is open in `open_files` belongs."""
        self.name = loaded.name
        self._budget = budget
        self._refresher = refresher
        self._loaded = loaded
        self._completer = Completer(loaded, options)
        self._path_of = path_of
        held_tokens = self._completer.context_tokens + self._completer.project_tokens
        self._sessions = Sessions(self._completer.new_session, budget, held_tokens)
        self._ahead = ReadAhead(loaded.tokenizer)
        self._allowance = allowance
        self._aside = aside(loaded.model.device)
        self._open_files = open_files
        self._project = project and project(self._completer, self._aside)

    @property
    def loaded(self) -> Loaded:
        """The model, for somebody else who uses it in the engine thread."""
        return self._loaded

    def is_called(self, name: str) -> bool:
        """Whether that is its model."""
        try:
            return find(name).name == self.name
        except ModelError:
            return False

    def complete(self, file: File, job: Complete) -> list[Completion]:
        started = time.monotonic()
        self._stir()
        offset, text = job.request.offset, file.text.text
        cursor = file.text.offset(offset)
        found = self._completer.complete(
            InfillRequest(
                prefix=text[:cursor],
                suffix=text[cursor:],
                path=self._path_of(file.key.uri),
                options=job.request.options,
                newline=file.text.newline(offset),
                deadline=job.deadline,
                cancelled=job.cancelled.is_set,
                stream=job.stream,
            ),
            session=self._session(file, job.request.options.max_tokens),
            others=self._sessions.others(file.key),
        )
        meta = replace(found.meta, total_ms=(time.monotonic() - started) * 1e3)
        return [
            Completion(each.text, offset, offset, meta, each.confidence)
            for each in found.candidates or (NOTHING,)
        ]

    def edit(self, before: File, edits: Sequence[Edited]) -> None:
        self._stir()
        session = self._sessions.get(before.key)
        if session is not None:
            session.follow(before.text.text, edits)

    def refresh(self, key: FileKey | None, interrupted: Callable[[], bool]) -> None:
        if not self._loaded.settle(interrupted):
            return
        if key is not None:
            self._make_exact(key, interrupted)

    def prepare(self, key: FileKey, interrupted: Callable[[], bool]) -> bool:
        """Show what is open in a window what it should see of its project: what one file says may
        matter in all the others. It is enough to look again for the file that was used last."""
        if self._refresher.work is IdleWork.OFF:
            return False
        if is_headless(key.uri):  # asked about once, and closed: it would be too late
            return False
        self._read_ahead(key)
        if self._project is None:
            return False
        more = False
        for file in self._window(key):
            if interrupted():
                break
            session = self._sessions.get(file.key)
            around = self._window(file.key)[::-1]
            with suppress(OverBudget):  # then it is shown nothing: its own text comes first
                more |= self._project.follow(file, session, around, interrupted)
            self._make_exact(file.key, interrupted)
        here = [file.key for file in self._open_files() if file.key.client == key.client]
        used = [other for other, _ in self._sessions if other in here]
        return more and key == (used or here)[-1]

    def _read_ahead(self, key: FileKey) -> None:
        file = next((each for each in self._open_files() if each.key == key), None)
        if file is None or len(file.text.text) > MOST_CHARACTERS:
            return
        if self._sessions.get(key) is None:
            self._ahead.read(file)

    def _stir(self) -> None:
        if self._project is not None:
            self._project.stir()

    def _make_exact(self, key: FileKey, interrupted: Callable[[], bool]) -> None:
        session = self._sessions.confine(key)
        if session is not None:
            self._refresher.run(Apart(session, self._aside), interrupted)

    def _window(self, key: FileKey) -> list[File]:
        """The file, and what else is open beside it: what was used last first."""
        ours = {file.key: file for file in self._open_files() if file.key.client == key.client}
        used = [other for other, _ in self._sessions if other in ours and other != key]
        rest = [other for other in ours if other not in used and other != key]
        return [ours[each] for each in (key, *used[::-1], *rest) if each in ours]

    def forget(self, key: FileKey) -> None:
        self._sessions.close(key)
        self._ahead.take(key)
        if self._project is not None:
            self._project.forget(key)

    def status(self) -> dict[str, Any]:
        return {
            "device": str(self._loaded.model.device),
            "kernels": str(self._loaded.plan),
            "weight_bits": self._loaded.plan.weight_bits,
            "cache_bits": self._cache_bits(),
            "kernels_to_pack": self._loaded.model.kernels_to_pack(),
            "attention": self._loaded.attention,
            "cache_bytes": self._budget.used_bytes,
            "cache_most_bytes": self._budget.most_bytes,
            "evicted_files": self._budget.evicted,
            "idle_work": str(self._refresher.work),
            "speculation": self._completer.speculator.status(),
            **({} if self._project is None else {"project": self._project.status()}),
            "files": [
                {
                    "uri": key.uri,
                    "tokens": len(session.sequence),
                    "stale_share": round(session.staleness().share, 4),
                }
                for key, session in self._sessions
            ],
        }

    def close(self) -> None:
        """Free everything, on the device too. Nothing can be asked afterwards."""
        try:
            self._completer.speculator.save()
        except ModelError as error:  # they are only guesses
            logger.warning("what drafts are made of is not kept: %s", error)
        self._sessions.clear()
        if self._project is not None:
            self._project.close()
        device = self._loaded.model.device
        # These make sessions of the engine.
        del self._completer, self._loaded, self._sessions, self._project
        give_back(device)

    def _cache_bits(self) -> float:
        """Of each number in cached keys and values, what goes with them included."""
        config = self._loaded.config
        numbers = 2 * config.layers * config.kv_heads * config.head_dim  # of a token
        return round(8 * self._loaded.model.new_arena(0).bytes_per_row / numbers, 2)

    def _session(self, file: File, limit_tokens: int) -> FileSession | None:
        """The file's, with room for an answer of so many tokens; none for one that is too long to
        follow. Raises `OverBudget`."""
        if len(file.text.text) > MOST_CHARACTERS:
            self.forget(file.key)
            return None
        if self._allowance is not None:
            self._budget.most_bytes = self._allowance(self._budget.used_bytes)
        narrow_first = self._refresher.work is not IdleWork.OFF and not is_headless(file.key.uri)
        more = self._completer.more_tokens(limit_tokens) if narrow_first else None
        evicted = self._budget.evicted
        session = self._sessions.use(file.key, more)
        if self._budget.evicted > evicted:
            give_back(self._loaded.model.device)
        if (text := self._ahead.take(file.key)) is not None and not session.text.text:
            session.text = text
        session.show(file.text.text)
        session.narrow_first = narrow_first
        if self._project is not None and not is_headless(file.key.uri):
            self._project.greet(file, session)
        return session
