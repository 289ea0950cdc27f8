"""Diagnostics as data: stable codes, labels, one help; collected in a sink, rendered at the edge."""
