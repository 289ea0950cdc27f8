# 30 entries cannot be split into groups of four.
fn groups(x: [n: 30, C]) -> [g: 30 / 4, m: 4, C]:
    return rearrange x: [(g m: 4), C] -> [g, m: 4, C]
