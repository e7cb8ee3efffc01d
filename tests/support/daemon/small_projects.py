"""Small projects on disk, read into a real index, and questions about them."""

from dataclasses import replace
from pathlib import Path
from textwrap import dedent

from keyturn.api.chunk import Chunk
from keyturn.daemon.project.index import ProjectIndex
from keyturn.daemon.project.indexing.writer import IndexWriter, Stamp
from keyturn.daemon.project.place import Place
from keyturn.daemon.project.reading.reader import outline
from keyturn.daemon.project.retrieval.retrieval import Query, Retrieval
from keyturn.daemon.workspace.language import language_of

CURSOR = "<|>"


class SmallProject:
    """`files`: texts by path, one of them with a `<|>` where the cursor is."""

    def __init__(self, folder: Path, files: dict[str, str]) -> None:
        self.files = {path: dedent(text).lstrip("\n") for path, text in files.items()}
        place = Place(folder / "index")
        writer = IndexWriter(place)
        for path, text in self.files.items():
            file = folder / "project" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            read = outline(path, language_of(path).id, text.replace(CURSOR, ""))
            writer.put(read, Stamp.of(file.stat()))
        writer.commit()
        writer.close()
        self.index = ProjectIndex(place)

    def query(self, typed: str = "", **more: object) -> Query:
        """What is asked at the cursor, when something was typed there."""
        path = next(path for path, text in self.files.items() if CURSOR in text)
        before, _, after = self.files[path].partition(CURSOR)
        text = before + typed + after
        language = language_of(path).id
        read = outline(path, language, text)
        query = Query(path, language, text, len(before + typed), read)
        return replace(query, **more)  # type: ignore[arg-type]

    def wanted(self, query: Query | None = None) -> list[Chunk]:
        return Retrieval(self.index, self.index).wanted(query or self.query())

    def names(self, query: Query | None = None) -> list[str]:
        return [chunk.name for chunk in self.wanted(query)]
