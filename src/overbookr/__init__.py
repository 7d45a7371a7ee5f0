"""Overbookr sells every seat of a venue exactly once, at on-sale speed."""

__version__ = "0.1.0"
