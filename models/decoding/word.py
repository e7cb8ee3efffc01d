"""The word that the cursor is inside of, and a text that says the rest of it again."""

import re

WORD_BEFORE, WORD_BEHIND = re.compile(r"\w\Z"), re.compile(r"\w+")


def says_word_again(text: str, prefix: str, suffix: str) -> bool:
    """Whether `text` begins with the letters of the cursor's word that stand to its right, or is
    some of them: `ff` between `o` and `ffset`. Perhaps it parses; nobody wants it there. One letter
    may begin what makes another word: `sage` between `mes` and `s`."""
    behind = WORD_BEHIND.match(suffix)
    if behind is None or WORD_BEFORE.search(prefix) is None or not text:
        return False
    if len(behind[0]) == 1 < len(text) and WORD_BEHIND.fullmatch(text):
        return False
    return text.startswith(behind[0]) or behind[0].startswith(text)
