ns = {"x": 3}
exec("def f(n): return n * x\ny = [f(i) for i in range(3)]", ns)
code = compile("x + len(y)", "<c>", "eval")
(ns["y"], eval(code, ns), eval("lambda: 5")(), sorted(k for k in ns if not k.startswith("__")))
