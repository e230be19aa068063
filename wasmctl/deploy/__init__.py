"""An image and a project's settings → the objects that deploy it."""
