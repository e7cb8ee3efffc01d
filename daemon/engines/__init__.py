"""What the engine thread can run: a loaded model, or look-ups without one. Imports `server` and
`completion`.
"""
