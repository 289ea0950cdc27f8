# The default is a percentage, the range a share.
fn dropped(x: [D], share: real in 0..1 = 50) -> [D]:
    return (1 - share) * x
