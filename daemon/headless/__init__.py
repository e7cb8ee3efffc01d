"""`keyturn complete`: a question on standard input, an answer on standard output. Imports every
other package of `daemon` but `commands` and `bench`.
"""
