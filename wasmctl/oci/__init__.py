"""Module → image → reference@digest, and back."""
