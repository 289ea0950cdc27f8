"""Concrete syntax: the AST, the parser with recovery, and the formatter."""
