"""The translating network."""
