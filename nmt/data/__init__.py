"""From pairs of lines to batches."""
