"""Drafts, their verification, and the controller that chooses among drafters. Imports `nn`,
`loading` and `prompts`.
"""
