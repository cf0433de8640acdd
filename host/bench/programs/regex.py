"""Regular expressions over a log: the matcher of `re`, which is C code with many branches."""

import random
import re

random.seed(2)
words = ["error", "warning", "GET", "POST", "timeout", "/index.html", "/api/v1/users", "ok"]
lines = []
for number in range(2_000):
    address = ".".join(str(random.randrange(256)) for _ in range(4))
    said = " ".join(random.choices(words, k=6))
    lines.append(f'{address} - [{number:06d}] "{said}" mail{number}@example.org {number * 37}')
log = "\n".join(lines)

counts = []
for pattern in (
    r"\b\d{1,3}(?:\.\d{1,3}){3}\b",
    r"[\w.]+@[\w.]+\.\w+",
    r"(?i)error|warning|timeout",
    r'^(\S+) - \[(\d+)\] "([^"]*)" (\S+) (\d+)$',
    r"(?:GET|POST) .*?(/\w+)+",
):
    compiled = re.compile(pattern, re.MULTILINE)
    for _ in range(3):
        counts.append(sum(1 for _ in compiled.finditer(log)))
counts.append(len(re.sub(r"\d+", lambda found: str(len(found[0])), log)))
print(counts)
