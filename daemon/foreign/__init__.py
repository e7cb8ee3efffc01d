"""Servers that are not ours as the engine: llama.cpp's, and those that speak OpenAI's completions.
Imports `completion` for what a suggestion is, and `remote` for what to do while one is away.
"""
