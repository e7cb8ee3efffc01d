"""Bearer tokens: which user a request comes from. The file holds digests, so who reads it can ask
for nothing.

Each line is `NAME sha256:DIGEST`; `#` begins a comment. It is read again when it changes, so a user
is let in or shut out without a restart.
"""

import hashlib
import hmac
import logging
import os
import re
import secrets
from pathlib import Path

from ...cache.errors import InputError

logger = logging.getLogger("ray.serve")

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TOKEN_BYTES = 32
ANYBODY = "anybody"  # the user where no token is asked for


class Tokens:
    """The users of a file; anybody without one."""

    def __init__(self, path: Path | None) -> None:
        """Raises `InputError` for a file that cannot be used."""
        self._path = path
        self._users: dict[str, str] = {}  # by digest
        self._seen: tuple[int, int] | None = None
        self._said = ""  # what was wrong with the file last
        self._read()

    @property
    def are_needed(self) -> bool:
        """Whether only those with a token may ask."""
        return self._path is not None

    def user(self, authorization: str | None) -> str | None:
        """Of a request with this `Authorization`; None if it is nobody's. Every digest is compared,
        in the same time."""
        if self._path is None:
            return ANYBODY
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            self._read()
        except InputError as error:  # half written, or gone: whoever was let in stays
            if str(error) != self._said:
                self._said = str(error)
                logger.warning("the users stay as they were: %s", error)
        digest = digest_of(token.strip())
        found = [name for known, name in self._users.items() if hmac.compare_digest(known, digest)]
        return found[0] if found else None

    def _read(self) -> None:
        if self._path is None:
            return
        try:
            found = self._path.stat()
            seen = found.st_mtime_ns, found.st_size
            if seen != self._seen:
                self._users = parsed(self._path.read_text(encoding="utf-8"))
                self._seen = seen
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"the tokens cannot be read: {error}") from error


def parsed(text: str) -> dict[str, str]:
    """Users by their tokens' digests. Raises `InputError`."""
    users: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        name, digest = words[0], words[-1]
        if len(words) != 2 or not NAME.fullmatch(name) or not DIGEST.fullmatch(digest):
            raise InputError(f"line {number} of the tokens is not `NAME sha256:DIGEST`")
        users[digest.removeprefix("sha256:")] = name
    return users


def digest_of(token: str) -> str:
    """What the file has of a token. The token is random and long: one pass is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def add(path: Path, name: str) -> str:
    """Let a user in: a new token, beside any that they have. Raises `InputError`."""
    if not NAME.fullmatch(name):
        raise InputError(f"{name!r:.80} is no user name: letters, digits, and `._@-` between them")
    token = secrets.token_urlsafe(TOKEN_BYTES)
    line = f"{name} sha256:{digest_of(token)}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with open(descriptor, "a", encoding="utf-8") as file:
            file.write(line)
    except OSError as error:
        raise InputError(f"the tokens cannot be written: {error}") from error
    return token
