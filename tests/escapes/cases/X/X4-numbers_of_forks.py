# about = "Two forks of one session share nothing that either does afterwards."
# backends = ["wasm"]
# sessions = 3
# forked = true
# across = "different_values"
# expect = "ok"
import os
import secrets

open("/work/mine", "w").write(secrets.token_hex(16))
shared = globals().setdefault("shared", [])
shared.append(secrets.token_hex(16))
[open("/work/mine").read(), shared[0], os.urandom(16).hex()]
