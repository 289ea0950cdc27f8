"""Sizes and tensor types."""
