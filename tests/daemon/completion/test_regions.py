"""Which language the cursor is in, and how much of the file is in it."""

import pytest

from keyturn.daemon.completion.regions import region_at

VUE = """<template>
  <p :class="▮1">{{ x }}</p>
</template>

<script setup lang="ts">
const x = ▮2
</script>

<style scoped>
p { ▮3 }
</style>
▮4"""


@pytest.mark.parametrize(
    ("path", "text", "cursor", "language", "prefix", "suffix"),
    [
        ("a.vue", VUE, "▮1", "html", None, None),
        ("a.vue", VUE, "▮2", "typescript", "\nconst x = ", "\n"),
        ("a.vue", VUE, "▮3", "css", "\np { ", " }\n"),
        ("a.vue", VUE, "▮4", "html", None, None),
        ("a.html", "<script>a▮</script>b", "▮", "javascript", "a", ""),
        ("a.html", '<script type="application/json">{▮', "▮", "json", "{", ""),
        ("a.html", '<script type="text/x-odd">{▮', "▮", "plaintext", "{", ""),
        ("a.html", "<!-- <script> -->\n<p>▮</p>", "▮", "html", None, None),
        ("a.html", "<style>\n</style><p>▮</p>", "▮", "html", None, None),
        ("a.svelte", '<script lang="js">\nlet a;\n▮\n</script>', "▮", "javascript",
         "\nlet a;\n", "\n"),
        ("a.svelte", '<style lang="scss">\n▮', "▮", "scss", "\n", ""),
        ("a.astro", "---\nconst a = ▮;\n---\n<p></p>", "▮", "typescript", "const a = ", ";\n"),
        ("a.astro", "---\nconst a = 1;\n---\n<p>▮</p>", "▮", "html", None, None),
        ("a.erb", "<p><%= ▮ %></p>", "▮", "html", None, None),
        ("a.py", "x = '<script>'\n▮", "▮", "python", None, None),
        ("a.jsx", "<style>▮</style>", "▮", "javascriptreact", None, None),
    ],
)  # fmt: skip
def test_the_cursor_decides_the_language(
    path: str, text: str, cursor: str, language: str, prefix: str | None, suffix: str | None
) -> None:
    before, _, after = text.partition(cursor)
    region = region_at(path, before, after)
    assert region.language.id == language
    assert region.prefix == (before if prefix is None else prefix)
    assert region.suffix == (after if suffix is None else suffix)
