# The argument of the claims stands for every net; its flag would make it several.
fn twice(f: net(x: [..s], train: bool) -> [..s], x: [..s]) -> [..s]:
    return f(f(x, true), false)

claims twice(f, x):
    same: twice(f, x) == f(f(x, true), true)
