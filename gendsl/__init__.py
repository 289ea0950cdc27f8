"""gendsl: a typed language for generative models that proves what it trains."""

__version__ = "0.1.0"
