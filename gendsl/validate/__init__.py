"""Translation validation: emitted text and the graph nodes it claims to compute, to verdicts.

    whole.py       integers: polynomials over sizes and index variables, floor division, bounds
    value.py       values at one index: what text and graph are both read into
    merge.py       the tiling lemma: a sum over tiles and lanes is a sum over elements
    meaning.py     graph nodes as values
    simplify.py    values simplified, with nothing multiplied out
    alike.py       values that are the same up to names and the order of operands
    normal.py      values as polynomials of the prover's kernel; equality
    addresses.py   which elements the accesses of a generic program reach
    torch_text.py  executes the torch source of a plan (torch_values.py: what calls mean,
                   torch_memory.py: what lies where, and when it may be read)
    triton_text.py executes Triton source (triton_values.py: what calls mean)
    check_torch.py, check_triton.py   statements and kernels against the graph
    arena.py       temporaries that share memory
    verdict.py     what is shown, as text and JSON

Nothing here imports torch, triton or a backend: a backend hands over text, and says which node each
memory holds. Always: what is not modelled is `unknown`, with its place. Results are over the reals.
"""
