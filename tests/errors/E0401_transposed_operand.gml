# Attention weights the wrong way round.
dim Q = 8
dim K = 12
dim C = 4

fn attend(weights: [q: Q, k: K], values: [k: K, C]) -> [q: Q, C]:
    return contract[k](weights, values)

fn crossed(weights: [k: K, q: Q], values: [k: K, C]) -> [q: Q, C]:
    return attend(weights, values)
