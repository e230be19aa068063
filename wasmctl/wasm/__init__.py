"""Bytes → what is inside a module. Pure."""
