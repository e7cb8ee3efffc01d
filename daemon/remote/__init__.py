"""An engine that runs on another machine: what is said to it, and what the daemon does while it is
away or slow. Imports `server`; never ray, and torch only through a local engine.
"""
