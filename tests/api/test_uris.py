"""URIs that are no paths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.api.uris import file_path, path_in
from keyturn.lsp.options import Options


@pytest.mark.parametrize("uri", ["file://[x/a.py", "http://[", "file:////[::1/a", "\0", "", "//["])
def test_what_cannot_be_parsed_is_no_file_and_no_error(uri: str):
    assert file_path(uri) is None or uri.startswith("file:////")
    assert isinstance(path_in(uri), str)
    assert Options().refusal(uri, "python", 1) is None


def test_the_path_of_a_file_is_unquoted_and_others_have_none():
    assert file_path("file:///a%20b/%C3%A9.py") == "/a b/é.py"
    assert file_path("untitled:a.py") is None
    assert path_in("vscode-remote://host/a%20b.py") == "/a b.py"


def test_a_secret_is_kept_whatever_stands_before_its_name():
    for uri in ("file:///a/.env", "file://[x/.env", "weird:.env"):
        assert Options().refusal(uri, "", 1) is not None


@given(st.text())
def test_any_text_may_be_a_uri(uri: str):
    file_path(uri)
    Options().allows(uri, "", 1)
