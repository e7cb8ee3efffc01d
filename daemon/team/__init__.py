"""The server of a team: Ray Serve replicas, each with an engine and the files that are routed to
it. Imports `server`, `engines` and the messages of `remote`; ray only in the files that say so.
"""
