"""Export to Coq: statements printed from the source claim, proof scripts, the runner."""
