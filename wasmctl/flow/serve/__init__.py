"""One `run`: a plug-in served in a real Envoy, swapped for every save, until it is ended."""
