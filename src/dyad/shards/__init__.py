"""Pieces of a video found in other processes, here or on other machines: the same bytes as found in this one."""
