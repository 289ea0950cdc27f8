# Neither the number nor the size of the patches is known.
fn patches(x: [H, W]) -> [H, W]:
    return rearrange x: [(h p), W] -> [h, (p W)]
