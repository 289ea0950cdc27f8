"""Lean 4 text of claims, beside the Coq export. Not compiled."""
