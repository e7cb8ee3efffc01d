"""Decoding under a grammar: aligned sampling, best-first greedy search, alternatives. Imports
`decoding` and below.
"""
