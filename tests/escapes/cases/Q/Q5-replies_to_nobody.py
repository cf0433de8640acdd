# about = "Numbers of calls that were never made, or are done, get no answer of anybody else."
# backends = ["wasm"]
# expect = "any"
# session = ["kept", "reset"]
# limits.timeout_ms = 3000
import _pcm_host

for name in dir(_pcm_host):
    function = getattr(_pcm_host, name)
    if not callable(function) or name.startswith("_") or name in ("poll", "wait"):
        continue
    for args in ((-1,), (2**31,), (0,), (2**64,), (b"x", -1), (0, b""), ()):
        try:
            function(*args)
        except (TypeError, ValueError, OverflowError, KeyError, LookupError, RuntimeError, OSError):
            pass
