# Queries and keys of different widths.
dim Q = 8
dim K = 8
dim D = 16
dim E = 32

fn scores(q: [q: Q, d: D], k: [k: K, d: E]) -> [q: Q, k: K]:
    return contract[d](q, k)
