"""What is taken and what is refused, in numbers that commands, page and server share."""

SHORTEST_S = 0.2
"""Seconds below which no word fits."""

LONGEST_S = 30.0
"""Seconds above which a recording is no description of one picture."""

LONGEST_TEXT = 1000
"""Characters to speak; the fastest voice takes longer for them than a recording may last."""

MOST_PICTURES = 64
"""Pictures of one recording."""

LEAST_TRUNCATION = 0.05
"""Standard deviations; drawing noise again until all of it lies below takes ever longer."""

SECONDS_KEPT = 3600
"""How long the page keeps a recording at least, and what was heard of it."""

LARGEST_SEED = 2**63 - 1
"""Of the noise; seeds are not negative."""
