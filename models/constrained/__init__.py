"""Decoding under a grammar: aligned sampling, best-first greedy search. Imports `grammar`,
`decoding` and below.
"""
