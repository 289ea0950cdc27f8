"""The graph: ops, hash-consed nodes, text form, reference evaluator, plans."""
