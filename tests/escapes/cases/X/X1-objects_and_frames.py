# about = "It is in no object, frame or module of the interpreter."
# also = ["subprocess", "container"]
# expect = "value:[]"
# limits.timeout_ms = 60000
import gc
import inspect
import sys

found = []
mark = "canary" + "-"


def looks(value, where):
    if isinstance(value, str) and mark in value and len(value) < 200 and value != mark and not value.startswith('"'):
        found.append([where, value[:60]])


for thing in gc.get_objects():
    if isinstance(thing, dict):
        for key, value in list(thing.items()):
            looks(value, "dict") if key != "mark" else None
for name, module in list(sys.modules.items()):
    for key, value in list(vars(module).items()) if hasattr(module, "__dict__") else []:
        looks(value, name)
frame = sys._getframe()
while frame is not None:
    for key, value in list(frame.f_locals.items()):
        looks(value, frame.f_code.co_name)
    frame = frame.f_back
inspect.stack()
found
