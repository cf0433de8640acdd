import warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    result = compile("1 is 1", "<c>", "eval")
    eval(result)
[w.category.__name__ for w in caught]
