"""The piece that the cursor cuts is left to the model, which is held to its bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.models.prompts.healing import ByteIndex, agrees, consume, hold_back
from support.models.tiny_tokenizer import PAGE, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
INDEX = ByteIndex(TOKENIZER, TOKENIZER.vocabulary)


@pytest.mark.parametrize(
    ("text", "pending"),
    [
        ("x = conf", " conf"),
        ("self.app", ".app"),
        ("self.read_pa", "_pa"),
        ("x = read_", "_"),
        ("\nconf", "conf"),
        ("conf", "conf"),
        ("def f(x):", "):"),
        ("f(", "("),
        ("x = ", " "),
        ("\n    ", "    "),
        ("\n", ""),
        ("", ""),
        ("x1", ""),
        ("a" * 100, ""),  # nobody types such words
    ],
)
def test_what_is_held_back_is_the_last_piece_before_the_cursor(text: str, pending: str) -> None:
    kept, held = hold_back(TOKENIZER, TOKENIZER.encode(text))
    assert held.decode() == pending
    assert TOKENIZER.decode(kept) + pending == text


@given(st.text(alphabet="abé日._ \n(1", max_size=30))
def test_the_kept_tokens_and_the_bytes_held_back_are_the_text(text: str) -> None:
    kept, held = hold_back(TOKENIZER, TOKENIZER.encode(text))
    assert b"".join(map(TOKENIZER.token_bytes, kept)) + held == text.encode()


@settings(deadline=None)
@given(st.sampled_from([w.encode() for w in PAGE.split()]) | st.binary(min_size=1, max_size=6))
def test_agreeing_tokens_are_those_that_can_start_text_with_these_bytes(pending: bytes) -> None:
    def fits(data: bytes) -> bool:
        return data != b"" and all(a == b for a, b in zip(data, pending, strict=False))

    expected = [t for t in range(TOKENIZER.vocabulary) if fits(TOKENIZER.token_bytes(t))]
    assert [t for t in expected if not agrees(TOKENIZER.token_bytes(t), pending)] == []
    assert sorted(INDEX.agreeing(pending)) == expected
    assert expected  # some single byte always does: healing can never get stuck


@given(st.binary(max_size=8), st.binary(min_size=1, max_size=8), st.integers(0, 8))
def test_tokens_first_use_up_what_is_pending(pending: bytes, more: bytes, cut: int) -> None:
    text = pending + more
    left, new = consume(pending, text[:cut])
    assert left == pending[cut:]
    assert new == text[len(pending) : cut]
