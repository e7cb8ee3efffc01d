"""Comments and docstrings without their marks."""

import re

MARKS = re.compile(
    r"^[ \t]*(?:[rRbBuUfF]{0,2}(?:\"\"\"|'''|\"|')|/\*+!?|//+!?|#+!?|--+\[*|\*+/?|;+)"
)
TAGS = re.compile(r"</?[a-z]+/?>")  # of XML, in C#
ENDS = re.compile(r"(?:\"\"\"|'''|\"|'|\*/|\]\])$")
MOST = 200  # characters


def first_line(text: str) -> str:
    """The first line in a comment or a docstring that says something."""
    for line in text.splitlines():
        marked = TAGS.sub("", line) if line.lstrip().startswith("///") else line
        plain = ENDS.sub("", MARKS.sub("", marked).strip()).strip()
        if any(map(str.isalnum, plain)):
            return plain[:MOST]
    return ""
