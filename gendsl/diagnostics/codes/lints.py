"""Lints: W08xx."""

from __future__ import annotations

from gendsl.diagnostics.entry import Entry

_DATA = "batch B\ndata x: [B, D] from digits\n"

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "W0801",
        "a hyperparameter that changes nothing",
        "The hyperparameter reaches no objective: neither a loss nor an update of a state depends "
        "on it. A declared weight that is never applied is a classic bug: every experiment with it "
        "gives the same result.",
        f"{_DATA}hyper beta = 1.0\nparam centre: [D]\n\nobjective o:\n"
        "    minimize mse[B, D](x, centre)\n",
    ),
    Entry(
        "W0802",
        "a data field that is never used",
        "The field is loaded with every batch, and no objective uses it.",
        f"{_DATA}data y: [B] of fin[10] from digits\nparam centre: [D]\n\nobjective o:\n"
        "    minimize mse[B, D](x, centre)\n",
    ),
    Entry(
        "W0803",
        "a parameter that is never trained",
        "No objective depends on the parameter, so its gradient is always zero.",
        f"{_DATA}param centre: [D]\nparam scale: [D]\n\nobjective o:\n"
        "    minimize mse[B, D](x, centre)\n",
    ),
    Entry(
        "W0804",
        "a net that is never trained",
        "No objective calls the net, so its parameters keep their initial values.",
        f"import nn: dense\n\n{_DATA}param centre: [D]\n\n"
        "net head(x: [..b, I]) -> [..b, k: 3]:\n    return dense[k: 3](x)\n\nobjective o:\n"
        "    minimize mse[B, D](x, centre)\n",
    ),
    Entry(
        "W0805",
        "a net that no step trains",
        "The recipe has a `train:` block, and none of its steps names this net or parameter, "
        "though an objective depends on it: it keeps its initial values, the rest adapts to them. "
        "Add it to a step. What an objective uses under `stop_grad` only is not reported.",
        f"{_DATA}param centre: [D]\nparam scale: [D]\n\nobjective o:\n"
        "    minimize mse[B, D](x, centre * scale)\n\n"
        "train:\n    batch B = 8\n    steps 3\n    step o over centre with sgd(lr = 0.1)\n",
    ),
)
