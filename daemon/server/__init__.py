"""The daemon process: socket, scheduler, engine thread, idle work. Imports `workspace` and the
files beside it; what completes code is handed in.
"""
