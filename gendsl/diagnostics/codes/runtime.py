"""Data sets, from the file to the bound field: E1000 to E1039.

Run folders, devices and checkpoints (E1040 on) are in `session.py`.
"""

from __future__ import annotations

from gendsl.diagnostics.entry import Entry

_FILE = "the problem lies in a data file, not in a program"
_HERE = "depends on what is on the machine"
_MET = "shows when a program meets its data, in `gendsl run`; `gendsl check` reads no data"


def _entry(code: str, title: str, explanation: str, reason: str) -> Entry:
    return Entry(code, title, explanation, "", reason)


ENTRIES: tuple[Entry, ...] = (
    _entry(
        "E1000",
        "no such data set or file",
        "The name is neither a known data set nor an existing file or folder, or a folder lacks "
        "one of the files that its format needs. `gendsl data list` prints the names; a path with "
        "a separator in it (`./digits`) is always a path.",
        _HERE,
    ),
    _entry(
        "E1001",
        "the data set is not on this machine",
        "The name is known, but the set is too large to come with gendsl. "
        "`gendsl data get NAME` brings it and verifies it; `GENDSL_DATA` may name a folder that "
        "holds sets in sub-folders of their names.",
        _HERE,
    ),
    _entry(
        "E1002",
        "unknown data format",
        "Neither the content nor the name of the file is one of the formats that are read: IDX, "
        "NumPy, CIFAR-10 batches, folders of pictures. Convert the data, for example with "
        "`np.savez(path, image=..., label=...)`.",
        _FILE,
    ),
    _entry(
        "E1003",
        "the file is truncated or damaged",
        "The header promises another amount of data than follows, or the compressed stream does "
        "not end as it should. Nothing of such a file is used, since a short file trains without "
        "a word on wrong examples. Fetch or copy it again.",
        _FILE,
    ),
    _entry(
        "E1004",
        "the content is not what the name says",
        "The file has the name of a format (IDX, .npy, CIFAR-10 batch) and begins or is built "
        "differently. An error page of a web server, saved under the file's name, is common. "
        "Fetch the file again.",
        _FILE,
    ),
    _entry(
        "E1005",
        "element type not read",
        "Pictures are uint8 (divided by 255) or floats (taken as they are), labels are integers. "
        "Wider integers as pictures have no natural range, and float labels are no indices: "
        "convert them before saving.",
        _FILE,
    ),
    _entry(
        "E1006",
        "not a finite number",
        "The data holds NaN or an infinity (also a number too large for float32). One such value "
        "makes every parameter NaN within a step. Remove or repair the examples that the "
        "message names.",
        _FILE,
    ),
    _entry(
        "E1007",
        "no data",
        "The file, folder or array is empty. Give at least one example; a class folder without "
        "pictures is reported too, since it is a class that could never be seen.",
        _FILE,
    ),
    _entry(
        "E1008",
        "a pickle that is more than arrays",
        "A pickle is a program: reading one can run anything. gendsl reads pickles only in the "
        "form of CIFAR-10's Python batches, with stand-ins that can do nothing, and refuses any "
        "other name in them before it is looked up. Save the data as npz.",
        _FILE,
    ),
    _entry(
        "E1009",
        "pictures and labels do not match in number",
        "Two columns of one part hold different numbers of examples, so at least one of them is "
        "incomplete or belongs to another set. Use the files that were published together.",
        _FILE,
    ),
    _entry(
        "E1010",
        "wrong shape",
        "The first axis of every array runs over the examples, labels are one index each, "
        "pictures are (n, H, W) or (n, C, H, W), and both parts of a set look alike. Arrays with "
        "channels last are refused rather than guessed: save `array.transpose(0, 3, 1, 2)`.",
        _FILE,
    ),
    _entry(
        "E1011",
        "pictures of different sizes",
        "All pictures of a folder must have one size; gendsl resizes nothing by itself, since how "
        "to crop and filter changes what a model learns. Resize the pictures that are named.",
        _FILE,
    ),
    _entry(
        "E1012",
        "mixed or unread colour channels",
        "Grey, RGB and RGBA pictures cannot stand in one set, and other modes (CMYK, 16 bit) are "
        "not read. Convert all pictures to one of the three.",
        _FILE,
    ),
    _entry(
        "E1013",
        "a picture cannot be decoded",
        "The picture is truncated, is not what its name says, or is an animation. Replace or "
        "remove it.",
        _FILE,
    ),
    _entry(
        "E1014",
        "ambiguous layout",
        "Two arrays of an archive could be the same column, or a folder mixes pictures with "
        "class folders. gendsl does not choose: name the arrays `image` and `label` "
        "(`image_test`, `label_test`), keep one layout per folder.",
        _FILE,
    ),
    _entry(
        "E1015",
        "wrong content under a known name",
        "What lies in the folder of a known set is not that set: its content hash differs from "
        "the published one. `gendsl data get NAME` replaces damaged pieces.",
        _HERE,
    ),
    _entry(
        "E1016",
        "no provider could deliver the data set",
        "All places that carry the set were tried, the message says why each failed. Most often "
        "there is no network. What was verified is kept, and the next `gendsl data get` goes on "
        "from there; files from elsewhere can be copied into the folder that is named.",
        _HERE,
    ),
    _entry(
        "E1017",
        "a data folder cannot be read or written",
        "The operating system refused: no permission, no space, no home folder. Data sets are "
        "kept under `$XDG_CACHE_HOME` or `~/.cache`.",
        _HERE,
    ),
    _entry(
        "E1018",
        "pictures need Pillow",
        "Folders of pictures are decoded by Pillow, which is part of the extra `train`: "
        "`pip install gendsl[train]`. NumPy, IDX and CIFAR files are read without it.",
        _HERE,
    ),
    _entry(
        "E1020",
        "no column for a field",
        "A real field reads the pictures or values of the set, a `fin` field its indices, a "
        "`bool` field its booleans: by name, or because there is only one of this kind. The set "
        "has none, or several. Name the field like its column, or choose other data.",
        _MET,
    ),
    _entry(
        "E1021",
        "the data has another number of axes",
        "The sizes after the batch must be the axes of one example. `[B, (C H W)]` reads pictures "
        "and flattens them; `[B, D]` reads plain vectors only. Grey pictures have C = 1.",
        _MET,
    ),
    _entry(
        "E1022",
        "a declared size differs from the data",
        "A number, a declared `dim` or another field fixes a size, and the data has another one "
        "there. Leave out the `dim` declaration and the data binds the size, or choose data of "
        "the declared size.",
        _MET,
    ),
    _entry(
        "E1023",
        "data outside of its declared range",
        "Ranges are part of a field's type: claims rely on them, and a sigmoid output can never "
        "reach data in -1..1 or 0..255. Every value of both parts is checked. Declare the range "
        "that the data has, and scale in the program.",
        _MET,
    ),
    _entry(
        "E1024",
        "an index out of bounds",
        "A field of `fin[K]` holds indices from 0 to K - 1; the data has another one. Declare as "
        "many classes as there are, and number them from 0.",
        _MET,
    ),
    _entry(
        "E1025",
        "the data does not fix a size",
        "A size in a field is a formula with several unknown names, or one that the data's number "
        "does not solve (`2*H` met an odd number). Give the other names a value, or declare the "
        "size as a name of its own.",
        _MET,
    ),
    _entry(
        "E1026",
        "the sizes break a condition",
        "The checker inferred what must hold of the sizes (`4 | H` from two stride-2 "
        "convolutions, a declared `>=`), and the sizes of this data break it. Choose data or "
        "settings for which it holds, or a net that does not need it.",
        _MET,
    ),
    _entry(
        "E1027",
        "batch larger than the data",
        "A batch holds different examples, so it cannot be larger than the training part. Set a "
        "smaller batch.",
        _MET,
    ),
    _entry(
        "E1028",
        "too few examples to hold some out",
        "A set without a test part of its own gives its last fifth to evaluation, which needs at "
        "least two examples.",
        _FILE,
    ),
    _entry(
        "E1029",
        "fields from different data sets",
        "All data fields of a program describe the same examples, so they read columns of one "
        "set. Name the same set in each, or give one with `--data`.",
        _MET,
    ),
    _entry(
        "E1030",
        "no such synthetic data set",
        "There are `synthetic:ring8` (a mixture in the plane) and `synthetic:gauss(d)` (a "
        "linear-Gaussian model whose best likelihood is known).",
        _HERE,
    ),
)
