"""What a file's name says about its language: an id as editors use them, and its line comments."""

from dataclasses import dataclass
from pathlib import PurePath

HASH, SLASHES, DASHES, SEMICOLON, PERCENT = ("#",), ("//",), ("--",), (";",), ("%",)

COMMENTS: dict[str, tuple[str, ...]] = {
    "c": SLASHES,
    "clojure": SEMICOLON,
    "cpp": SLASHES,
    "csharp": SLASHES,
    "css": (),
    "dart": SLASHES,
    "dockerfile": HASH,
    "elixir": HASH,
    "erlang": PERCENT,
    "go": SLASHES,
    "haskell": DASHES,
    "html": (),
    "java": SLASHES,
    "javascript": SLASHES,
    "javascriptreact": SLASHES,
    "json": (),
    "julia": HASH,
    "kotlin": SLASHES,
    "latex": PERCENT,
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
    "swift": SLASHES,
    "toml": HASH,
    "typescript": SLASHES,
    "typescriptreact": SLASHES,
    "xml": (),
    "yaml": HASH,
    "zig": SLASHES,
}

EXTENSIONS: dict[str, str] = {
    "bash": "shellscript", "c": "c", "cc": "cpp", "clj": "clojure", "cpp": "cpp", "cs": "csharp",
    "css": "css", "cxx": "cpp", "dart": "dart", "el": "lisp", "erl": "erlang", "ex": "elixir",
    "exs": "elixir", "go": "go", "h": "c", "hpp": "cpp", "hs": "haskell", "htm": "html",
    "html": "html", "java": "java", "jl": "julia", "js": "javascript", "json": "json",
    "jsx": "javascriptreact", "kt": "kotlin", "lisp": "lisp", "lua": "lua", "md": "markdown",
    "mjs": "javascript", "mk": "makefile", "ml": "ocaml", "php": "php", "pl": "perl",
    "ps1": "powershell", "py": "python", "pyi": "python", "r": "r", "rb": "ruby", "rs": "rust",
    "scala": "scala", "scss": "scss", "sh": "shellscript", "sql": "sql", "swift": "swift",
    "tex": "latex", "toml": "toml", "ts": "typescript", "tsx": "typescriptreact",
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
    language = NAMES.get(name) or EXTENSIONS.get(extension, "plaintext")
    return Language(language, COMMENTS[language])
