"""Claims to verdicts: obligations, search, refutation, certificates; `kernel` is trusted."""
