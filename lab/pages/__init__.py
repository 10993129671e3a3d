"""Figures for notebooks, and the pages that executed notebooks become."""

INTERACTIVE = "application/vnd.fashion-mnist.interactive+json"  # the data of a figure that a script draws anew
