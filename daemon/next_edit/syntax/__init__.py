"""What stands in a text: lexemes, names in their places, and what they mean. Imports the project's
reading.
"""
