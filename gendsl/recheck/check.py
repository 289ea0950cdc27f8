"""The stand-alone certificate checker: standard library and mpmath only."""
