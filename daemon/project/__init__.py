"""The project around a file: what its other files define, kept in an index, and what of that a
completion should see. Above `daemon` and `daemon.workspace`; knows no model, and no torch."""
