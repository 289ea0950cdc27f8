"""Diagnostics as data: codes, labels, one help; collected in a sink, rendered at the edge."""
