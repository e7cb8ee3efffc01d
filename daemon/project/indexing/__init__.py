"""The writing of indexes, in a process of its own, and the daemon's side of that process. Above
`daemon.project`'s own files; what only reads an index needs none of this."""
