"""Comparisons with other systems, each one command; none runs in CI."""
