"""The change that a user would make next, by what they have just changed: the same elsewhere. May
import what reads files (`daemon.project.reading`), and knows no model."""
