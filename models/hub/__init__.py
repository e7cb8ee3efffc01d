"""Model files: named, found, fetched, checked. Imports nothing of ours but
`errors` and `user_folder`."""
