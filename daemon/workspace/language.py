"""A file's language by its name: an id as editors use them, and its line comments."""

from dataclasses import dataclass
from pathlib import PurePath

HASH, SLASHES, DASHES, SEMICOLON, PERCENT = ("#",), ("//",), ("--",), (";",), ("%",)

COMMENTS: dict[str, tuple[str, ...]] = {
    "astro": (),
    "c": SLASHES,
    "clojure": SEMICOLON,
    "cpp": SLASHES,
    "csharp": SLASHES,
    "css": (),
    "dart": SLASHES,
    "dockerfile": HASH,
    "elixir": HASH,
    "erb": (),
    "erlang": PERCENT,
    "go": SLASHES,
    "handlebars": (),
    "haskell": DASHES,
    "html": (),
    "java": SLASHES,
    "javascript": SLASHES,
    "javascriptreact": SLASHES,
    "jinja": (),
    "json": (),
    "julia": HASH,
    "kotlin": SLASHES,
    "latex": PERCENT,
    "liquid": (),
    "lisp": SEMICOLON,
    "lua": DASHES,
    "makefile": HASH,
    "markdown": (),
    "ocaml": (),
    "perl": HASH,
    "php": ("//", "#"),
    "plaintext": (),
    "powershell": HASH,
    "python": HASH,
    "r": HASH,
    "ruby": HASH,
    "rust": SLASHES,
    "scala": SLASHES,
    "scss": SLASHES,
    "shellscript": HASH,
    "sql": DASHES,
    "svelte": (),
    "swift": SLASHES,
    "toml": HASH,
    "twig": (),
    "typescript": SLASHES,
    "typescriptreact": SLASHES,
    "vue": (),
    "xml": (),
    "yaml": HASH,
    "zig": SLASHES,
}

EXTENSIONS: dict[str, str] = {
    "astro": "astro", "bash": "shellscript", "c": "c", "cc": "cpp", "cjs": "javascript",
    "clj": "clojure", "cpp": "cpp", "cs": "csharp", "css": "css", "cts": "typescript",
    "cxx": "cpp", "dart": "dart", "ejs": "erb", "el": "lisp", "erb": "erb", "erl": "erlang",
    "ex": "elixir", "exs": "elixir", "go": "go", "h": "c", "handlebars": "handlebars",
    "hbs": "handlebars", "hpp": "cpp", "hs": "haskell", "htm": "html", "html": "html",
    "j2": "jinja", "java": "java", "jinja": "jinja", "jinja2": "jinja", "jl": "julia",
    "js": "javascript", "json": "json", "jsx": "javascriptreact", "kt": "kotlin",
    "kts": "kotlin", "liquid": "liquid", "lisp": "lisp", "lua": "lua", "md": "markdown",
    "mjs": "javascript", "mk": "makefile", "ml": "ocaml", "mts": "typescript",
    "mustache": "handlebars", "php": "php", "pl": "perl", "ps1": "powershell", "py": "python",
    "pyi": "python", "r": "r", "rb": "ruby", "rs": "rust", "scala": "scala", "scss": "scss",
    "sh": "shellscript", "sql": "sql", "svelte": "svelte", "swift": "swift", "tex": "latex",
    "toml": "toml", "ts": "typescript", "tsx": "typescriptreact", "twig": "twig", "vue": "vue",
    "xml": "xml", "yaml": "yaml", "yml": "yaml", "zig": "zig", "zsh": "shellscript",
}  # fmt: skip

NAMES: dict[str, str] = {
    "dockerfile": "dockerfile",
    "gnumakefile": "makefile",
    "makefile": "makefile",
    "gemfile": "ruby",
    "rakefile": "ruby",
}


@dataclass(frozen=True, slots=True)
class Language:
    """`comments` start a comment that ends with its line."""

    id: str
    comments: tuple[str, ...]


def language_of(path: str) -> Language:
    """By file name; what is not known is plain text."""
    name = PurePath(path).name.lower()
    extension = name.rpartition(".")[2] if "." in name else ""
    return named(NAMES.get(name) or EXTENSIONS.get(extension, "plaintext"))


def named(language: str) -> Language:
    """By a known id."""
    return Language(language, COMMENTS[language])
