"""The verbs: parse, call the stages, show the result. The only room that knows typer."""
