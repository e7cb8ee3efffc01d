"""URIs of documents, which may be anything at all: what cannot be parsed is no file."""

from urllib.parse import unquote, urlsplit


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
