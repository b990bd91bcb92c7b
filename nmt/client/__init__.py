"""Translating through an endpoint."""
