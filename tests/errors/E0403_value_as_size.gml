# A hyperparameter cannot be a size.
hyper width = 64
fn zero(x: [D]) -> [width]:
    return 0
