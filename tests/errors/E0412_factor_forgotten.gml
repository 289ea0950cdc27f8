# The colour channel gets lost on the way.
fn flatten(x: [C, H, W]) -> [(H W)]:
    return rearrange x: [C, H, W] -> [(H W)]
