"""Names of documents between an editor, the daemon and the engine, and the paths they stand for.

A URI may be anything at all: what cannot be parsed is no file.
"""

from urllib.parse import unquote, urlsplit

HEADLESS_SCHEME = "keyturn-headless:"  # and the name given with the text, as it was given
KEPT_SCHEME = "keyturn-file:"  # and the path: of a headless text whose cache outlives its client


def is_headless(uri: str) -> bool:
    """Whether a text came with a question, and is open for no longer than that."""
    return uri.startswith((HEADLESS_SCHEME, KEPT_SCHEME))


def file_path(uri: str) -> str | None:
    """The path of a `file:` URI; None for any other, and for what only looks like one."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    return unquote(parts.path) if parts.scheme == "file" else None


def path_in(uri: str) -> str:
    """The path in a URI of any scheme; the URI itself where it cannot be parsed."""
    try:
        return unquote(urlsplit(uri).path)
    except ValueError:
        return uri


def path_of(uri: str) -> str:
    """The path of a `file:` URI, the name given to a headless text, the URI itself of others."""
    for scheme in (HEADLESS_SCHEME, KEPT_SCHEME):
        if uri.startswith(scheme):
            return uri.removeprefix(scheme)
    path = file_path(uri)
    return uri if path is None else path
