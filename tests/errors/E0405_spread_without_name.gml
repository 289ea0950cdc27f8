# Leading axes need a name, so that parameters can share them.
fn f(x: [.., D]) -> [D]:
    return 0
