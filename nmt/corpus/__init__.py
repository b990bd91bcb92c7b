"""A parallel corpus before training: what is wrong with it (`nmt check`), and settings that suit it (`nmt init`)."""
