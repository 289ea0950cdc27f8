"""Claims to verdicts: obligations, search, refutation, certificates; `kernel` is trusted."""

from gendsl.prove import advice

advice.give()
