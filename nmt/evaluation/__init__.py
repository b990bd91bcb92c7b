"""Scores of test sets."""
