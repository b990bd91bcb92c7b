"""The run directory: what a training writes and everything else reads."""
