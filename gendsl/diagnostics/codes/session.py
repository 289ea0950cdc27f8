"""Run folders, settings, checkpoints and training: E1040 - E1079."""

from __future__ import annotations

from gendsl.diagnostics.entry import Entry

_FOLDER = "depends on what is in the folder, not on the program"
_FLAG = "depends on the flags of `gendsl run`"
_HERE = "depends on what is installed on the machine"
_RUN = "shows while a program trains"

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "E1040",
        "nothing to train",
        "`gendsl run` trains what the program's `train:` block says, and this program has none. A "
        "module of layers or losses is checked with `gendsl check`. To train, add `train:` with at "
        "least one `step OBJECTIVE over GROUPS with OPTIMIZER` line, a batch size and `steps`.",
        "",
        "shows in `gendsl run`: the program itself is correct",
    ),
    Entry(
        "E1041",
        "the output folder is not empty",
        "`--out DIR` names a folder that holds something, and a new run never writes over or "
        "between other files. Add `--resume` to go on with the run in it, or name a new folder. "
        "Without `--out` each run gets a new folder below `runs/`.",
        "",
        _FOLDER,
    ),
    Entry(
        "E1042",
        "the folder does not hold a run",
        "`--resume` was given with a folder that is not empty and has no `manifest.json`, so it is "
        "not a run's. Name the folder that an earlier `gendsl run` printed.",
        "",
        _FOLDER,
    ),
    Entry(
        "E1043",
        "the output place is not a folder",
        "A run consists of many files and needs a folder; `--out` names a file. Name a folder that "
        "does not exist yet: it will be made.",
        "",
        _FOLDER,
    ),
    Entry(
        "E1044",
        "a file of a run cannot be read or written",
        "The system refused: the disk is full, the folder may not be written, or it went away. "
        "What was written before is whole, since every file gets its name only when it is "
        "complete; when the cause is gone, `--resume` goes on from the last checkpoint.",
        "",
        _FOLDER,
    ),
    Entry(
        "E1045",
        "the run was started differently",
        "A resumed run must equal an unbroken one bit for bit. So program, sizes, "
        "hyperparameters, recipe, seed and data have to be those that the run was started with; "
        "the notes say what differs. Give the same flags again (the help repeats them), or start "
        "a new run. Comments, claims and the number of steps may change. `gendsl sample` and "
        "`gendsl eval` take the program from the run folder, so only data, or another version of "
        "gendsl, can differ there.",
        "",
        _FLAG,
    ),
    Entry(
        "E1046",
        "another process uses the run folder",
        "Two processes that train in one folder would destroy each other's files, so the first "
        "one locks it. The lock goes when that process ends, however it ends. Wait for it, or "
        "choose another folder.",
        "",
        _FOLDER,
    ),
    Entry(
        "E1047",
        "`--set` names nothing of the program",
        "`--set NAME=VALUE` sets a size declared with `dim`, the batch size, or a `hyper`. This "
        "name is none of them; the help has the nearest one, or lists them. What has a flag of its "
        "own (`--steps`, `--seed`) and numbers written in the program (`adam(lr = 1e-3)`) are not "
        "set so: then the help names the flag or the line.",
        "",
        _FLAG,
    ),
    Entry(
        "E1048",
        "a value that a size or hyperparameter cannot have",
        "Sizes are whole numbers, at least 1 and within their declared bound (`dim T = 1000 >= "
        "2`); hyperparameters are numbers in their declared range. The range is a hypothesis of "
        "the program's claims, hence a value outside of it would train something that was not "
        "checked. Choose another value, or change the declaration.",
        "",
        _FLAG,
    ),
    Entry(
        "E1049",
        "a name that cannot be set",
        "The sizes of the data come from the data, and a scheduled hyperparameter from its "
        "schedule: setting them would contradict it or change nothing. Choose other data with "
        "`--data`, or change the `schedule` line.",
        "",
        _FLAG,
    ),
    Entry(
        "E1050",
        "a damaged line in metrics.jsonl or timings.jsonl",
        "A line is not what gendsl writes; a kill can only tear the last one, and that is "
        "repaired. The file was changed by something else. Restore it, or start a new run.",
        "",
        _FOLDER,
    ),
    Entry(
        "E1051",
        "an unusable checkpoint",
        "The newest checkpoint cannot be read, or does not hold what this program trains. A kill "
        "does not cause this, since a checkpoint gets its name when it is complete. Remove the "
        "file: `--resume` then takes the checkpoint before it.",
        "",
        _FOLDER,
    ),
    Entry(
        "E1052",
        "an unusable manifest",
        "`manifest.json` says what a run is; without a readable one it cannot be told whether "
        "going on would be the same run. Restore it, or start a new run.",
        "",
        _FOLDER,
    ),
    Entry(
        "E1053",
        "training diverged",
        "A term, a parameter or optimizer state became infinite or not a number; the message "
        "names the first one and the step. Usually the learning rate is too large (try a tenth of "
        "it, or `clip 1.0` in `train:`), or a term takes `log`, `sqrt` or a quotient of values "
        "that reach 0. The last checkpoint was written while everything was finite, and is kept.",
        "",
        _RUN,
    ),
    Entry(
        "E1054",
        "a refuted claim",
        "The checker found concrete values at which a claim of the program does not hold, so the "
        "program is not what its author says. Nothing is trained: `gendsl check` prints the "
        "counterexample. `--allow-refuted` trains all the same and marks the run and its report.",
        "",
        "shows in `gendsl run`; `gendsl check` reports the verdict",
    ),
    Entry(
        "E1055",
        "a schedule leaves its hyperparameter's range",
        "Claims hold for hyperparameters in their declared range, and this schedule gives a value "
        "outside of it in some step. Change the schedule's numbers or the `hyper` declaration.",
        "",
        _RUN,
    ),
    Entry(
        "E1056",
        "fewer steps than the run has taken",
        "`--resume --steps N` trains until N steps are done, and the checkpoint is beyond that. "
        "Steps cannot be taken back: give a larger number, or start a new run with `--out DIR`.",
        "",
        _FOLDER,
    ),
    Entry(
        "E1058",
        "a Python package for running is missing",
        "Checking programs needs few packages; training also needs those of the extra `train` "
        "(torch, pillow, safetensors, rich). Install them with `pip install 'gendsl[train]'`; "
        "`gendsl doctor` says what is there and what is not.",
        "",
        _HERE,
    ),
    Entry(
        "E1059",
        "a sampler's argument has no value",
        "After training a run calls every sampler. Index arguments cycle through 0, 1, 2, ..., "
        "numbers need a default: `sampler images[N = 64](eta: real = 0.0)`.",
        "",
        _RUN,
    ),
    Entry(
        "E1061",
        "`--data` for a program without data",
        "The program declares no `data` field, so there is nothing that the given data could be.",
        "",
        _FLAG,
    ),
    Entry(
        "E1062",
        "no data was named",
        "The program's `data` declarations name no data set (`... from digits`) and no `--data` "
        "was given. Name one of `gendsl data list`, or a path.",
        "",
        _FLAG,
    ),
    Entry(
        "E1080",
        "the run has no checkpoint yet",
        "`gendsl sample` and `gendsl eval` read the newest checkpoint of a run. The first one is "
        "written after 100 steps or 30 seconds, and one at the end of every run.",
        "",
        _RUN,
    ),
    Entry(
        "E1081",
        "no such sampler",
        "The program of this run declares no sampler of that name, or none at all. A sampler is "
        "`sampler images[N = 64]() -> [N, (C H W)] in 0..1:` and sees nets and constants.",
        "",
        _FLAG,
    ),
    Entry(
        "E1082",
        "a sampler's argument cannot be set so",
        "`--set NAME=VALUE` of `gendsl sample` sets an argument of the sampler, or one of its "
        "sizes in brackets; sizes and indices are whole numbers. The number of examples is `--n`.",
        "",
        _FLAG,
    ),
    Entry(
        "E1083",
        "samples cannot be written to this file",
        "Pictures (an image shape and a range are declared, or points of a plane as the data are) "
        "go to `.png` or `.npy` files, all other samples to `.npy` files.",
        "",
        _FLAG,
    ),
    Entry(
        "E1084",
        "nothing to evaluate on",
        "`gendsl eval` measures a run on data, and this program reads none, or the part of the "
        "data that was asked for is empty. `gendsl sample` draws from the run.",
        "",
        _FLAG,
    ),
)
