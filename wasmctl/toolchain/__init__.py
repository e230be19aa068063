"""Project → module: cargo, TinyGo and Go, and what goes with what."""
