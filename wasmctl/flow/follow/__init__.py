"""Following a proxy's log: where it comes from, what of it is told."""
