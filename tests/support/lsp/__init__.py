"""A backend and a server for tests of the editor's side."""
