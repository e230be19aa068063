"""Module + configuration → a running Envoy that serves it."""
