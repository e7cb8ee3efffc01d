"""Files of the user's project: languages, ignore rules, watching. Imports `cache` (errors) and
`lsp` (options)."""
