"""Viable prefixes by tree-sitter's compiled tables, on our own immutable GLR stacks. Imports the
oracle's interface.
"""
