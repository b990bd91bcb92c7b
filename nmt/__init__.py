"""Neural machine translation with LSTMs: train from one YAML file, translate, serve. See docs/architecture.md."""
