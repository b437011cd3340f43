"""The colours of every picture, page and exported graph, each written once.

Kinds are Okabe and Ito's colours (2008), which colour-blind readers can distinguish. The pale ones
are darkened, to be seen on white.
"""

# Kinds in this order: trials, methods, solvers, …
BLUE = "#0072b2"
VERMILION = "#d55e00"
GREEN = "#009e73"
PINK = "#cc79a7"
SKY = "#3796cf"
OCHRE = "#b58900"
DARK_GREY = "#4d4d4d"
GREY = "#8a8a8a"
KINDS = (BLUE, VERMILION, GREEN, PINK, SKY, OCHRE, DARK_GREY, GREY)

# What a colour means.
EXCITATORY = "#00629d"
INHIBITORY = "#b9430a"
FRONT = EXCITATORY
BASELINE = "#75479a"
CANDIDATE = "#87919a"

# Lines, text and areas of pictures.
INK = "#30363c"
FAINT = "#8a8f94"
PALE = "#c3c9ce"
GRID = "#e3e5e8"
EMPTY = "#eceeef"
WHITE = "#ffffff"
BLACK = "#000000"
NODES = {"sensory": "#d9dcdf", "inter": WHITE, "command": WHITE, "motor": INK}

# Variables of the pages' style sheets, in the light and in the dark scheme.
LIGHT = {
    "paper": "#f8f8f5",
    "card": WHITE,
    "ink": "#1c2024",
    "soft": "#59626a",
    "line": "#dfe1de",
    "dot": CANDIDATE,
    "accent": FRONT,
    "exc": EXCITATORY,
    "inh": INHIBITORY,
    "base": BASELINE,
    "good": "#22703c",
    "warn": "#8a5a00",
    "bad": "#a8322a",
    "ramp-0": "#8fb4cf",
    "ramp-1": "#3b8fc2",
    "ramp-2": "#082c49",
    **{f"kind-{number}": colour for number, colour in enumerate(KINDS)},
}
DARK = {
    "paper": "#14171a",
    "card": "#1c2024",
    "ink": "#e8eaec",
    "soft": "#a2aab2",
    "line": "#343a40",
    "dot": "#6f7880",
    "accent": "#62b8ee",
    "exc": "#62b8ee",
    "inh": "#f59355",
    "base": "#c79be6",
    "good": "#6cc487",
    "warn": "#e0b34d",
    "bad": "#f08a80",
    "ramp-0": "#3d6580",
    "ramp-1": "#4ba3d8",
    "ramp-2": "#dcf1ff",
    "kind-0": "#3d9bd6",
    "kind-1": "#f08038",
    "kind-2": "#2ec09a",
    "kind-3": "#e09ac2",
    "kind-4": "#8fd0f5",
    "kind-5": "#e0c04a",
    "kind-6": "#c8c8c8",
    "kind-7": "#808080",
}
