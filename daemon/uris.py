"""How a document is named between a client and the engine, and what path that is."""

from ..lsp.uris import file_path

HEADLESS_SCHEME = "keyturn-headless:"  # and the name given with the text, as it was given
KEPT_SCHEME = "keyturn-file:"  # and the path: of a headless text whose cache outlives its client


def path_of(uri: str) -> str:
    """The path of a `file:` URI, the name given to a headless text, the URI itself of others."""
    for scheme in (HEADLESS_SCHEME, KEPT_SCHEME):
        if uri.startswith(scheme):
            return uri.removeprefix(scheme)
    path = file_path(uri)
    return uri if path is None else path
