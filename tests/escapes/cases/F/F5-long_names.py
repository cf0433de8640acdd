# about = "Names and paths that are too long are errors, and nothing is left of them."
# expect = "value:[5, []]"
import os

refused = 0
for path in ("/work/" + "a" * 5000, "/work/" + "a/" * 5000 + "x", "a" * 10**6, "/" * 10**6 + "work/" + "b" * 300, "/work/" + "é" * 200):
    try:
        open(path, "w")
    except (OSError, ValueError):
        refused += 1
[refused, os.listdir("/work")]
