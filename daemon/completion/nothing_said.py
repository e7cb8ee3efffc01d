"""Files that say nothing yet, in which a suggestion could only be a guess."""

from ..cursor import BYTE_ORDER_MARK


def says_nothing(prefix: str, suffix: str) -> bool:
    """Whether there are only blanks on both sides of the cursor, or above them a bare shebang."""
    if suffix and not suffix.isspace():
        return False
    text = prefix.removeprefix(BYTE_ORDER_MARK)
    if text.startswith("#!"):
        text = text.partition("\n")[2] if "\n" in text else text
    return not text or text.isspace()
