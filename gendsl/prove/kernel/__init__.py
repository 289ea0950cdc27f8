"""The trusted kernel: term type, normal form, rules. Imports nothing but the standard library."""
