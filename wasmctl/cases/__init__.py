"""Case files → what a plug-in did with each case in a running Envoy."""
