"""`keyturn complete`: a question on standard input, an answer on standard output. Imports
`api`, `models`, and of `daemon` `completion`, `client` and what is below them.
"""
