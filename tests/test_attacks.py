"""Crafted files and settings: nothing of them runs, overwrites, leaks or exhausts the machine.

The tests build every file, so the repository holds no binary.
"""

from __future__ import annotations

# Models and settings: code of strangers.

# Data folders of others.

# Images: files outside the data set, and files that announce more than they hold.

# Text of foreign files on pages, in the model card and on the terminal.

# Names that leave the data folder or merge folders.
