"""A file's text made an outline, by the grammars of tree-sitter. Imports nothing of ours but
`daemon.project`'s outline."""
