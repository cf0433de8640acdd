import unicodedata
[unicodedata.normalize("NFKD", "ﬁé"), [unicodedata.category(c) for c in "aA1 é\n€"], "日本語"[::-1], "\N{SNOWMAN}".encode(), "e\u0301" == "é", len("👨‍👩‍👧"), "İ".lower(), sorted("äaz"), "straße".title(), "ΑΣ".lower(), chr(0x10FFFF), "\u200b".isspace(), "١٢".isdecimal(), int("١٢")]
