"""Remarks about the request instead of an answer: apologies, "Here is", placeholders.

A model trained to chat apologises, announces what comes, wraps it in code fences, and leaves places
for somebody else to fill in. None of that is a suggestion, unless the file speaks that way itself.
"""

import re

MARKS = r"(?:#+|//+|--+|/\*+|\*+|<!--|;+|%+|\"\"\"|'''|\{/\*)"  # of comments and docstrings
START = rf"^[ \t]*+(?:{MARKS}[ \t]*+)*+"  # nothing of it is given back: a ruler is long
WHAT = (
    r"(?:code|logic|implementation|solution|function|method|content|data|text|values?|statements?)"
)
CANNOT = r"(?:can't|cannot|can’t|can not|am unable to|'m unable to|am not able to|won't be able to)"
SPEECH = (
    r"I(?:'m| am|’m) (?:really |very |so )?sorry(?:,|\.| but\b|$)",
    r"(?:I|[Mm]y) apologi(?:[sz]e|es)"
    r"(?:,|\.| but\b| for (?:the|any) (?:confusion|misunderstanding)|$)",
    r"Sorry, (?:but )?I\b",
    rf"I ?{CANNOT} (?:assist|help|provide|fulfil|comply|answer|complete|generate|continue)",
    r"(?:As|I am|I'm|I’m) an? (?:AI|artificial intelligence|(?:large )?language model)\b",
    r"Here(?: is|'s|’s| are) (?:an?|the|your|my|some|how|one)\b",
    r"(?:Sure|Certainly|Of course|Absolutely)(?:!|, (?:here|I can|I'll|I will|let)\b)",
    r"I hope this helps\b",
)
END = r"[^\w\n]*$"
PLACEHOLDERS = (
    rf"(?:add|write|insert|put|place|enter|type|implement)\b[^\n]{{0,40}}\b{WHAT} here{END}",
    rf"(?:your|my|some|more|other|actual) (?:own |\w+ ){{0,2}}{WHAT} (?:goes )?here{END}",
    rf"{WHAT} goes here\b",
    r"(?:add|implement|write|insert|put|define) your (?:own )?[\w ]{0,40}(?:here|logic|code)\b",
    r"(?:the )?rest of (?:the|your) (?:code|function|implementation|file|class|method)\b",
    r"(?:\.\.\.|…) ?(?:existing|rest of|remaining|your|more|other) [\w ]{0,20}code\b",
    r"(?:existing|remaining|previous) code (?:here|\.\.\.|…)",
    r"TODO:? (?:implement|add|write|fill|complete|your)\b",
    r"replace (?:this )?with (?:your|the actual)\b",
    rf"(?:implement|process|handle|do) (?:the |this )?\w+ (?:\w+ )?here{END}",
)
SAID = re.compile(START + "(?:" + "|".join(SPEECH) + ")", re.MULTILINE)
BEFORE = rf"(?:(?:^|(?<=\s))(?>{MARKS})[^\n]{{0,200}}?|^(?:[ \t]*+<\w+>|[^\w\n]*+))\b"
LEFT_OPEN = re.compile(BEFORE + "(?:" + "|".join(PLACEHOLDERS) + ")", re.IGNORECASE | re.MULTILINE)
ELLIPSIS = re.compile(rf"^[ \t]*{MARKS}[ \t]*(?:\.\.\.|…)[ \t]*(?:\*/)?$", re.MULTILINE)
WORD = re.compile(r"\w")
FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
MARKUP = frozenset({"markdown", "mdx"})  # fences are its own


def rubbish(text: str, around: str, language: str = "", line: str = "") -> int:
    """Where the first of such words begin in `text`, with their comment; its length if there are
    none. What the text `around` says of the kind may be said again. `line` is what stands before
    `text` in its first line: in the middle of code, nobody is spoken to."""
    found = [len(text)]
    begun = len(text.partition("\n")[0]) if WORD.search(line) else 0
    for pattern in (SAID, LEFT_OPEN, ELLIPSIS, *(() if language in MARKUP else (FENCE,))):
        match = pattern.search(text, begun if pattern is SAID else 0)
        if match is not None and pattern.search(around) is None:
            found.append(match.start())
    return min(found)
