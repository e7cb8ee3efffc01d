"""The language at the cursor of a file that has several: scripts and styles in a page.

Components and templates are read as pages; what a page's grammar cannot read is completed without
one, like any other text that does not parse.
"""

import re
from collections import deque
from dataclasses import dataclass

from ..workspace.language import Language, language_of, named

PAGES = frozenset(
    {"astro", "erb", "handlebars", "html", "jinja", "liquid", "svelte", "twig", "vue"}
)
PART = re.compile(
    r"<(?P<tag>script|style)\b(?P<attributes>(?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>"
    r"|</(?:script|style)\s*>|<!--(?:(?!-->).)*(?:-->|\Z)",
    re.IGNORECASE | re.DOTALL,
)
END = {
    "script": re.compile(r"</script\b", re.IGNORECASE),
    "style": re.compile(r"</style\b", re.IGNORECASE),
}
KIND = re.compile(r"\b(?:lang|type)\s*=\s*[\"']?(?:text/|application/)?([\w+.-]+)", re.IGNORECASE)
KINDS = {
    "babel": "javascriptreact", "ecmascript": "javascript", "javascript": "javascript",
    "js": "javascript", "json": "json", "importmap": "json", "jsx": "javascriptreact",
    "ld+json": "json", "module": "javascript", "ts": "typescript", "tsx": "typescriptreact",
    "typescript": "typescript", "css": "css", "scss": "scss",
}  # fmt: skip
FRONT_MATTER = re.compile(r"\s*---[ \t]*\n")
FRONT_MATTER_END = re.compile(r"^---", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Region:
    """The part of a text that is in the language of the cursor."""

    language: Language
    prefix: str
    suffix: str


def region_at(path: str, prefix: str, suffix: str) -> Region:
    """Around the cursor between `prefix` and `suffix`, whose lines end in a line feed."""
    language = language_of(path)
    if language.id not in PAGES:
        return Region(language, prefix, suffix)
    begin = FRONT_MATTER.match(prefix) if language.id == "astro" else None
    if begin and not FRONT_MATTER_END.search(prefix, begin.end()):
        return _until(FRONT_MATTER_END, named("typescript"), prefix[begin.end() :], suffix)
    part = next(iter(deque(PART.finditer(prefix), maxlen=1)), None)
    if part is None or not part["tag"]:
        return Region(named("html"), prefix, suffix)
    tag, kind = part["tag"].lower(), KIND.search(part["attributes"])
    usual = "javascript" if tag == "script" else "css"
    language = named(KINDS.get(kind[1].lower(), "plaintext") if kind else usual)
    return _until(END[tag], language, prefix[part.end() :], suffix)


def _until(end: re.Pattern[str], language: Language, prefix: str, suffix: str) -> Region:
    found = end.search(suffix)
    return Region(language, prefix, suffix if found is None else suffix[: found.start()])
