import re
pattern = re.compile(r"(?P<key>\w+)\s*=\s*(?:'(?P<q>[^']*)'|(?P<n>-?\d+))")
text = "a = 'x y', b=-12 ,c= 7"
[m.groupdict() for m in pattern.finditer(text)] + [re.sub(r"(\w)(\w*)", lambda m: m[1].upper() + m[2], "hello big world"), re.split(r"(\d)", "a1b2c"), re.findall(r"(?<=\$)\d+(?!\d)", "$5 $12"), bool(re.match(r"(a+)+b", "a" * 20)), re.sub(r"\bcat\b", "dog", "cat concat cat."), re.fullmatch(r"[\u00e0-\u00ff]+", "éàü") is not None]
