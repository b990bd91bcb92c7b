"""The command line: main.py dispatches, and each command is a file of its name."""
