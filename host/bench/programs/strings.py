"""Texts: splitting, joining, replacing, formatting, encoding."""

text = "The quick brown fox jumps over the lazy dog; naïve café, 123.45! " * 1_500
total = 0
for turn in range(4):
    words = text.split()
    total += len(" ".join(word.capitalize() for word in words))
    total += len(text.replace("fox", "animal").replace("dog", "cat").upper())
    total += sum(1 for word in words if word.strip(";,!.").isalpha())
    total += len("".join(f"{word:>12}|{number:05d}\n" for number, word in enumerate(words)))
    total += len(text.encode("utf-8").decode("utf-8").translate({ord("a"): "A", ord("e"): None}))
    total += text.count("over") + text.find("nothing of the kind") + len(text[::-1])
    total += len("".join(sorted(set(text)))) + turn
print(total)
