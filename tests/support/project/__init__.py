"""Cases that judge what a project's definitions are worth, and how they are shown."""
