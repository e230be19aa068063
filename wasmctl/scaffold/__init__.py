"""Template + answers → files of a new project."""
