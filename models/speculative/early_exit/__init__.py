"""Drafters that run the model's own first layers: DEL, and trained exits. Imports what
`speculative` may.
"""
