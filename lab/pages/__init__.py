"""Figures for notebooks, and the pages that executed notebooks become."""

INTERACTIVE = "application/vnd.fashion-mnist.interactive+json"  # the data of a figure that a script draws anew
NARROW = "application/vnd.fashion-mnist.narrow+png"  # a figure once more, laid out for a telephone
DENSITY = 1.5  # pixels of that for one of the screen's, so that a page with both forms stays small
