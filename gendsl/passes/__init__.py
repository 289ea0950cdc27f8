"""Passes over the graph: differentiation, simplification, sharing, and their pipeline."""
