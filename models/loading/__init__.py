"""From files to a model in memory: formats, conversion, the store of converted weights. Imports
`hub`, `tokenizer` and `nn`.
"""
