"""What the formats are called in settings and on the command line."""

AUTO = "auto"  # the model's own name says it
FORMATS = ("sweep", "zeta", "instinct")
