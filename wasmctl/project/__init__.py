"""wasmctl.toml, the environment and flags → a resolved `Project`."""
