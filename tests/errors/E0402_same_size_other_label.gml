# Both axes have N elements, and they are not the same axis.
dim N = 16

fn scores(a: [q: N], b: [k: N]) -> [q: N]:
    return a * b
