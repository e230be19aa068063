"""The verbs: parse, call the stages, return the result. The only room that knows typer."""
