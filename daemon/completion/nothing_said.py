"""Empty beginnings: files that say nothing yet, in which a suggestion could only be a guess."""

import re

MARKS = r"(?:#+(?!\w)|//+!?|--+|;+|%+|/\*+|\*+/?|<!--|\"\"\"|''')"
COMMENT = re.compile(rf"[ \t]*{MARKS}")
MARK_ALONE = re.compile(rf"\s*(?:{MARKS}\s+|\"\"\"|''')\Z")  # of a comment or a title
LEGAL = re.compile(
    r"""\bcopyright\b | ©\ *\d | \(c\)\ *\d{4} | \ball\ rights\ reserved\b | \bSPDX-
      | \blicen[cs]ed\ (?:under|to)\b | \bpermission\ is\ hereby\ granted\b
      | \b(?:MIT|BSD|ISC|Apache|Mozilla|Public)\ (?:software\ |public\ )?licen[cs]e\b
      | \blicen[cs]e\ *:
      | ^\W*(?:vim:.*file)?(?:en)?coding\ *[:=]\ *[\w.-]+\W*$
    """,
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
MAIN_GUARD = re.compile(r"if __name__ == (['\"])__main__\1:\s*")


def says_nothing(prefix: str, suffix: str) -> bool:
    """Whether there are only blanks on both sides of the cursor, or above it a shebang, whose the
    file is, a main guard with nothing to call, or the mark of a comment not begun."""
    if suffix and not suffix.isspace():
        return False
    text = prefix
    if text.startswith("#!"):
        text = text.partition("\n")[2] if "\n" in text else text
    text = _behind_legal(text)
    return not text.strip() or bool(MAIN_GUARD.fullmatch(text) or MARK_ALONE.fullmatch(text))


def _behind_legal(text: str) -> str:
    """The text behind the comments that it begins with and that are about its licence."""
    start = 0
    while True:
        while start < len(text) and text[start].isspace():
            start += 1
        end = start
        while COMMENT.match(text, end) and (stop := text.find("\n", end)) >= 0:
            end = stop + 1
        if not LEGAL.search(text, start, end):
            return text[start:]
        start = end
