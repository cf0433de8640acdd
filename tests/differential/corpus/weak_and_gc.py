import gc, weakref
class Node: ...
n = Node(); n.self = n
r = weakref.ref(n); gone = []
weakref.finalize(n, gone.append, 1)
del n
gc.collect()
d = weakref.WeakValueDictionary()
k = Node(); d["k"] = k
had = "k" in d
del k
(r() is None, gone, had, "k" in d)
