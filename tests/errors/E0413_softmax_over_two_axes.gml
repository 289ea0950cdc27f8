# A softmax normalises one axis.
fn weights(scores: [q: Q, k: K]) -> [q: Q, k: K]:
    return softmax[q, k](scores)
