"""The change that a user may want to make next: asked for while nobody types, kept true, shown."""
