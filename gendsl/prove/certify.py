"""Certificates: what `gendsl check --certify DIR` writes for each proved claim."""
