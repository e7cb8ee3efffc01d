"""One completion: the file's session, the candidates, what is made of them. Imports `models`,
`cache` and `workspace`.
"""
