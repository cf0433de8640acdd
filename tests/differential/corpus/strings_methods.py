s = "  Hello, Wörld!\tTab\n"
[s.strip().split(", "), s.upper(), s.casefold(), s.expandtabs(4), s.strip().partition(","), "a-b_c".replace("-", "_").split("_"), "x".center(7, "*"), "42".zfill(5), "%05.1f|%-4s|%x" % (3.14159, "ab", 255), "{0!r:>6} {n:,}".format("q", n=1234567), "abcabc".rfind("c"), "ß".upper(), "ǅ".title(), "1²3".isdigit(), "".join(reversed("abc"))]
