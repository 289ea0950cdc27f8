# 30 entries cannot be cut into groups of four.
fn groups(x: [n: 30, C]) -> [C]:
    parts = rearrange x: [(g m: 4), C] -> [g, m, C]
    return sum[g, m](parts)
