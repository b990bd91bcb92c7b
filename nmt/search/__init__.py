"""Finding the best translation."""
