"""The editor side: LSP documents, positions and requests. Never imports torch."""
