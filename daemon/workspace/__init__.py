"""Files of the user's project: languages, ignore rules, watching. Imports nothing else of ours."""
