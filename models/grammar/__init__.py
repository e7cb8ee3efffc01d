"""Viable-prefix oracles: can this text still become a program of this language?"""
