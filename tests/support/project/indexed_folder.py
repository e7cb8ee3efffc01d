"""A folder as a project, indexed at once and in this process."""

from pathlib import Path
from typing import Any

from keyturn.daemon.project.index import ProjectIndex
from keyturn.daemon.project.indexing.writer import IndexWriter, Stamp
from keyturn.daemon.project.place import Place
from keyturn.daemon.project.reading.reader import outline
from keyturn.daemon.workspace.language import language_of


class IndexedFolder:
    """`files` are written and indexed. Stands for the process that does so in the daemon."""

    def __init__(self, root: Path, cache: Path, files: dict[str, str]) -> None:
        self.root = root
        self.growing = False
        self.told: tuple[str, ...] | None = ()  # what no file may match, as it was said last
        self._age = 0
        (root / ".git").mkdir(parents=True, exist_ok=True)
        self._place = Place.of(root, cache)
        self._writer = IndexWriter(self._place)
        self.index = ProjectIndex(self._place)
        for path, text in files.items():
            self.write(path, text)

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        found = outline(path, language_of(path).id, text)
        self._writer.put(found, Stamp.of(file.stat()))
        self._writer.commit()
        self._age += 1

    def forget(self) -> None:
        """Begin with an empty index."""
        kept = self._place.folder.rename(self._place.folder.with_name("kept"))
        self._writer.close()  # its folder is still there, so that no inode is used again
        self._writer = IndexWriter(self._place)
        assert kept.is_dir()
        self._age += 1

    def age(self) -> int:
        return self._age

    def is_growing(self) -> bool:
        return self.growing

    def around(self, path: Path, globs: tuple[str, ...] | None) -> "IndexedFolder | None":
        self.told = globs
        return self if path.is_relative_to(self.root) and globs is not None else None

    def busy(self) -> None:
        """Nothing here works in the background."""

    def idle(self) -> None:
        """Nor waits."""

    def status(self) -> dict[str, Any]:
        return {"projects": 1}

    def close(self) -> None:
        self.index.close()
        self._writer.close()
