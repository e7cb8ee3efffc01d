"""What a server is told of the projects of files that it completes: chosen here, where the projects
are, with what little is known here of what it shows.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from ...api.chunk import Chunk
from ...api.report import Completion, ProjectUse
from ...api.uris import is_headless
from ..server.engine import File
from ..server.jobs import FileKey
from .choice import Choice, NeededElsewhere, Rules, Sight

MOST_CHARACTERS = 16_000  # of a file's chunks: some 2,000 are shown, and the rest says what is true
CHARACTERS_PER_TOKEN = 3
PREFIX_SHARE = 0.75


@dataclass(slots=True)
class Asked:
    """A file and the last question in it."""

    offset: int = 0  # of the editor's text
    use: ProjectUse | None = None  # that came with the answer


@dataclass(slots=True)
class Told:
    """What was chosen for a file, by which rules, and whether an answer has come since."""

    rules: Rules | None
    chunks: tuple[Chunk, ...]
    is_new: bool = True


class RemoteChoice:
    """`tell` is given the chunks of a file whenever they are chosen. In one thread."""

    def __init__(
        self,
        choice: Choice,
        context_tokens: int,
        tell: Callable[[File, tuple[Chunk, ...]], None],
    ) -> None:
        self._choice = choice
        self._characters = CHARACTERS_PER_TOKEN * context_tokens
        self._tell = tell
        self._asked: OrderedDict[FileKey, Asked] = OrderedDict()  # the latest last
        self._told: dict[FileKey, Told] = {}

    def asks(self, file: File, offset: int) -> None:
        """Before a question: what may no longer be shown is taken back."""
        self._choice.busy()
        asked = self._asked.setdefault(file.key, Asked())
        asked.offset = offset
        self._asked.move_to_end(file.key)
        told = self._told.get(file.key)
        if told is not None and self._choice.rules(file) != told.rules:
            del self._told[file.key]
            self._tell(file, ())

    def answered(self, file: File, found: list[Completion]) -> list[Completion]:
        """With what was shown of the project; where that may be more in a moment, they say so."""
        use = found[0].meta.project if found else None
        if (asked := self._asked.get(file.key)) is not None:
            asked.use = use
        told = self._told.get(file.key)
        may_come = self._choice.expects(file) if told is None else told.is_new and told.chunks
        if told is not None:
            told.is_new = False
        if use is not None or not may_come:
            return found
        early = ProjectUse(settled=False)
        return [replace(each, meta=replace(each.meta, project=early)) for each in found]

    def stir(self) -> None:
        """Somebody is typing."""
        self._choice.busy()

    def follow(self, file: File, opened: Collection[File], interrupted: Callable[[], bool]) -> bool:
        """Choose for `file`. `opened`: what is open in its window. Whether there may be others
        before long."""
        if is_headless(file.key.uri):
            return False
        self._choice.idle()
        rules, around = self._choice.rules(file), self._in_order(opened)
        try:
            offer = self._choice.offer(file, self._sight(file), around, interrupted)
        except NeededElsewhere:
            return True
        chunks = () if offer is None or rules is None else tuple(_most(offer.chunks))
        told = self._told.get(file.key)
        if told is not None and told.rules != rules:
            self._tell(file, ())
        if told is None or (told.rules, told.chunks) != (rules, chunks):
            self._told[file.key] = Told(rules, chunks)
        self._tell(file, chunks)  # whoever is told knows whether that is new to the server
        return self._choice.expects(file) and file.key == around[-1].key

    def forget(self, key: FileKey) -> None:
        self._asked.pop(key, None)
        self._told.pop(key, None)
        self._choice.forget(key)

    def _sight(self, file: File) -> Sight:
        """As it will be when the server is asked at the same place again."""
        asked = self._asked.get(file.key)
        if asked is None:
            return Sight()
        text = file.text
        cursor = text.offset(min(asked.offset, len(text.raw)))
        start = max(0, cursor - round(PREFIX_SHARE * self._characters))
        stop = min(len(text.text), start + self._characters)
        chunks = () if asked.use is None else asked.use.chunks
        held = frozenset((use.path, use.line - 1) for use in chunks if not use.name)
        return Sight(cursor, (start, stop), held)

    def _in_order(self, opened: Collection[File]) -> list[File]:
        """What was asked about last comes last."""
        place = {key: number for number, key in enumerate(self._asked)}
        return sorted(opened, key=lambda each: place.get(each.key, -1))


def _most(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    room = MOST_CHARACTERS
    for chunk in chunks:
        if len(chunk.text) <= room:
            room -= len(chunk.text)
            yield chunk
