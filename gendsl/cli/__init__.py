"""The command line: one module per sub-command, imported only when it is the one asked for.

Each command module has `configure(parser)`, which declares its flags, and `execute(args) -> int`,
which does the work and returns the exit code (see `gendsl.cli.codes`).
"""
