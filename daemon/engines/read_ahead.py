"""Long files that were opened, tokenised before anybody asks about them: a first suggestion in ten
thousand lines must not wait for that. Owns what was read and has no session yet.
"""

from ...cache.tokens import Pieces, TokenisedText
from ..server.engine import File
from ..server.jobs import FileKey

LONG_CHARACTERS = 50_000  # of a file; those below are tokenised in no time
KEPT_FILES = 4  # those read last


class ReadAhead:
    def __init__(self, tokenizer: Pieces) -> None:
        self._tokenizer = tokenizer
        self._texts: dict[FileKey, TokenisedText] = {}  # what was read last comes last

    def read(self, file: File) -> None:
        """Tokenise a long file, once."""
        text = file.text.text
        if len(text) >= LONG_CHARACTERS and file.key not in self._texts:
            self._texts[file.key] = TokenisedText(self._tokenizer, text)
            if len(self._texts) > KEPT_FILES:
                del self._texts[next(iter(self._texts))]

    def take(self, key: FileKey) -> TokenisedText | None:
        """What was read of a file, for its session, if anything was."""
        return self._texts.pop(key, None)
