"""Engines for the engine thread: a loaded model, or look-ups without one. Imports `server` and
`completion`.
"""
