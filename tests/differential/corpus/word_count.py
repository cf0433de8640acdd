from collections import Counter
import re

text = "The quick brown fox. The lazy dog! the end? Fox & dog: quick-quick."
words = Counter(re.findall(r"[a-z]+", text.lower()))
for word, count in sorted(words.items(), key=lambda item: (-item[1], item[0])):
    print(f"{word:<8}{count:>3}")
words.most_common(3)
