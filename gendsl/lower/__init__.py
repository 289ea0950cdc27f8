"""Lowering: from the checked program to the graph, and from checked claims to claims over nodes."""
