import sys
print("a", 1, None, sep="|", end="$\n")
print(*[], "x", sep="")
print("é", "\u20ac", ascii("é"), repr("\x00\t'"))
sys.stdout.write("raw\n")
print(f"{'table':^11}|", *(f"{n:>4}" for n in range(3)))
print([1, "two", 3.0, None, {"k": (1,)}], {1, }, (), b"b")
